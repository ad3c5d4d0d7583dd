/** Reads a request's JSON body, of bounded size, whatever its headers say. */

/** `bytes` is how many came, as far as they were counted. */
export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'too-large'; readonly bytes: number }

/** Of a body that is too large so much is read. */
const GIVE_UP_BYTES = 64 * 1024 * 1024

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Keeps at most `maxBytes`. */
export async function readJsonBody(request: Request, maxBytes: number): Promise<Body> {
  try {
    // Not as a stream when it says that it is small, which costs less. More than that Bun does not let in.
    const told = request.headers.get('content-length')
    const isSmall = told !== null && Number(told) <= maxBytes
    const whole = isSmall ? await request.bytes() : await readParts(request, maxBytes)
    if (typeof whole === 'number') return { kind: 'too-large', bytes: whole }
    if (whole.length > maxBytes) return { kind: 'too-large', bytes: whole.length }
    return { kind: 'json', value: JSON.parse(utf8.decode(whole)) }
  } catch {
    // No UTF-8, no JSON, or a client that went away in the middle of its body.
    return { kind: 'invalid' }
  }
}

/** All of it, or how much too large it is: that is read on for a while, so that the client gets to read the answer. */
async function readParts(request: Request, maxBytes: number): Promise<Uint8Array | number> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body ?? []) {
    bytes += part.length
    if (bytes > GIVE_UP_BYTES) break
    if (bytes > maxBytes) parts.length = 0
    else parts.push(part)
  }
  return bytes > maxBytes ? bytes : Buffer.concat(parts)
}
