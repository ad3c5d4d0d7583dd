/** Floor 3: the core of an executor from its options. Browser compatible. */
import type { Clock, Tick } from '../ports/clock.ts'
import { realClock } from '../ports/real-clock.ts'
import type { Transport } from '../ports/transport.ts'
import { createHttpTransport } from '../transport/http-transport.ts'
import { Core } from './core.ts'
import type { CheckedExecutorOptions } from './options.ts'
import { tickFor } from './tick.ts'

/** What tests put in place of the real ones. */
export interface ExecutorPorts {
  readonly clock?: Clock
  readonly tick?: Tick
  readonly random?: () => number
}

export function coreOf(options: CheckedExecutorOptions, ports: ExecutorPorts): Core {
  const clock = ports.clock ?? realClock
  return new Core({
    clock,
    tick: ports.tick ?? tickFor(options.batching.windowMs, clock),
    random: ports.random ?? Math.random,
    transport: options.transport ?? httpTransportOf(options),
    retry: options.retry,
    batching: options.batching,
    queueTimeoutMs: options.queueTimeoutMs,
    inspect: options.inspect,
    onEvent: options.onEvent,
  })
}

function httpTransportOf({ token, headers, fetch }: CheckedExecutorOptions): Transport {
  return createHttpTransport({
    ...(token === undefined ? {} : { token }),
    ...(headers === undefined ? {} : { headers }),
    ...(fetch === undefined ? {} : { fetch }),
  })
}
