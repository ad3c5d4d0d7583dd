/** Floor 2: exchanges with a fetch handler in the same process, without a port. Browser compatible. */
import type { Transport } from '../ports/transport.ts'
import { createHttpTransport, type Fetch, type HttpTransportOptions } from './http-transport.ts'

/**
 * A transport that hands every request to `handler`, whatever its address: for tests, and for a server in the same
 * process. An aborted exchange ends at once, also when the handler does not listen to the request's signal.
 *
 * @example
 * ```ts
 * import { createMemoryTransport, SandboxExecutor } from 'sandbox-slots'
 * const transport = createMemoryTransport(async () => Response.json({ status: 'ok' }))
 * await using executor = new SandboxExecutor({ transport })
 * console.log(await executor.healthCheck('http://anywhere')) // true
 * ```
 */
export function createMemoryTransport(
  handler: Fetch,
  options: Omit<HttpTransportOptions, 'fetch'> = {},
): Transport {
  return createHttpTransport({ ...options, fetch: (request) => untilAborted(handler, request) })
}

async function untilAborted(handler: Fetch, request: Request): Promise<Response> {
  const { promise, reject } = Promise.withResolvers<never>()
  const { signal } = request
  const abort = () => reject(signal.reason)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  try {
    const response = await Promise.race([handler(request), promise])
    const body = response.body?.pipeThrough(new TransformStream(), { signal }) ?? null
    return new Response(body, response)
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
