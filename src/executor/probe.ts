/** Floor 3: one look at a container's health. Browser compatible. */
import * as v from 'valibot'
import type { Clock } from '../ports/clock.ts'
import type { Exchange, Transport } from '../ports/transport.ts'
import { type ContainerStatus, parseContainerStatus } from '../protocol/health.ts'

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

/** What a look at a container's health says: it is there, or it gave no answer at all. */
export type Look =
  | {
      readonly kind: 'answered'
      readonly status: ContainerStatus
      /** Whether it says what the container is: an answer of a server in trouble, or one that makes no sense, does not. */
      readonly isTelling: boolean
    }
  | { readonly kind: 'failed'; readonly message: string }

export async function lookAt(
  { transport, clock }: { readonly transport: Transport; readonly clock: Clock },
  addr: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Look> {
  const exchange = await readHealth(transport, clock, addr, timeoutMs, signal)
  // Whatever its status: somebody answers there.
  if ('status' in exchange && !(exchange.kind === 'bad-response' && exchange.isCut)) {
    const status = parseContainerStatus(bodyOf(exchange))
    const isTelling =
      exchange.kind === 'ok' ? status !== null : exchange.status >= 400 && exchange.status < 500
    return { kind: 'answered', status: status ?? { raw: {} }, isTelling }
  }
  const message = 'message' in exchange ? exchange.message : `No answer to GET /health within ${timeoutMs} ms`
  return { kind: 'failed', message }
}
