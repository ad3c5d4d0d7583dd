/** Floor 3: one look at a container's health. Browser compatible. */
import * as v from 'valibot'
import type { Clock } from '../ports/clock.ts'
import type { Exchange, Transport } from '../ports/transport.ts'

const healthBytes = 1024 * 1024

/** What `GET /health` brought, within `timeoutMs`. */
export async function readHealth(
  transport: Transport,
  clock: Clock,
  addr: string,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<Exchange<unknown>> {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const timer = clock.setTimeout(abort, timeoutMs)
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  try {
    return await transport.exchange({
      method: 'GET',
      url: `${addr}/health`,
      schema: v.unknown(),
      signal: controller.signal,
      maxBytes: healthBytes,
    })
  } finally {
    clock.clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

/** The JSON value in an answer of any status; undefined when there is none. */
export function bodyOf(exchange: Exchange<unknown>): unknown {
  if (exchange.kind === 'ok') return exchange.value
  return exchange.kind === 'http-error' ? exchange.body : undefined
}
