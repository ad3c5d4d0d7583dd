/** Floor 1: the one proof, in an error of `fetch`, that nothing was sent: the connection was never made. */

/** Codes that Bun and Node give. ECONNRESET is none of them: a reused socket may break after the request was read. */
const codes: ReadonlySet<unknown> = new Set([
  'ConnectionRefused',
  'ECONNREFUSED',
  'FailedToOpenSocket',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

/** Deno tells it in words only. A browser tells nothing, so there it stays unknown. */
const denoSentence = /client error \(Connect\).*(connection refused|dns error|failed to lookup|unreachable)/is

/** Whether `error`, or what caused it, says that no connection was made. */
export function neverConnected(error: unknown): boolean {
  let current = error
  for (let depth = 0; depth < 5 && current instanceof Error; depth += 1) {
    if (codes.has(Reflect.get(current, 'code')) || denoSentence.test(current.message)) return true
    if (current instanceof AggregateError)
      return current.errors.length > 0 && current.errors.every(neverConnected)
    current = current.cause
  }
  return false
}
