/** Floor 2: containers are the allocations of a Nomad job. Browser compatible. */
import * as v from 'valibot'
import type { Clock } from '../ports/clock.ts'
import type { Discovery, DiscoveryListeners, DiscoveryScaling } from '../ports/discovery.ts'
import { realClock } from '../ports/real-clock.ts'
import { checked, milliseconds, text } from '../usage.ts'
import { AllocationReader } from './allocation-reader.ts'
import { containersIn } from './nomad-allocations.ts'
import { accessFields, type NomadAccess, NomadClient } from './nomad-client.ts'
import { hastyReads, nextIndex, restMs } from './nomad-reads.ts'
import { nomadScaling } from './nomad-scaling.ts'
import { keepLooking, type Look } from './watching.ts'

/** Options of {@link nomadDiscovery}. */
export interface NomadDiscoveryOptions extends NomadAccess {
  /** The job's ID. */
  readonly job: string
  /** The task group whose allocations are containers. Default: all of them; scaling then needs a job with one. */
  readonly group?: string
  /** The label of the port on which the sandbox server listens. Default `http`. */
  readonly portLabel?: string
  /** How long Nomad holds a question back until something changes, in milliseconds. Default 60,000, at most 600,000. */
  readonly waitMs?: number
  /** The pause after the first failure in a row; it grows by as much with each further one. Default 1,000. */
  readonly retryMs?: number
  /** The longest pause after a failure, in milliseconds. Default 30,000. */
  readonly maxRetryMs?: number
}

const discoveryOptions = v.strictObject({
  ...accessFields,
  job: text,
  group: v.optional(text),
  portLabel: v.optional(text, 'http'),
  waitMs: v.optional(
    v.pipe(milliseconds, v.maxValue(600_000, 'it must be at most 600000, Nomad waits no longer')),
    60_000,
  ),
  retryMs: v.optional(milliseconds, 1_000),
  maxRetryMs: v.optional(milliseconds, 30_000),
})

/**
 * Containers are the allocations of a Nomad job that run and whose port is known; one that Nomad wants to stop drains.
 * Changes arrive at once, by blocking queries. While Nomad is away the last list stays, and it is asked again after
 * growing pauses.
 *
 * Throws a `SandboxUsageError` for what is missing, wrong or unknown in `options`.
 *
 * @example
 * ```ts
 * import { nomadDiscovery } from 'sandbox-slots'
 * const discovery = nomadDiscovery({ url: 'http://127.0.0.1:4646', job: 'sandbox', group: 'sandbox' })
 * console.log(discovery.scaling !== undefined) // true
 * ```
 */
export function nomadDiscovery(options: NomadDiscoveryOptions): NomadDiscovery {
  return new NomadDiscovery(options)
}

/** What {@link nomadDiscovery} makes. */
export class NomadDiscovery implements Discovery {
  readonly scaling: DiscoveryScaling
  readonly #options: v.InferOutput<typeof discoveryOptions>
  readonly #client: NomadClient
  readonly #clock: Clock
  readonly #random: () => number

  constructor(
    options: NomadDiscoveryOptions,
    {
      clock = realClock,
      random = Math.random,
    }: { readonly clock?: Clock; readonly random?: () => number } = {},
  ) {
    this.#options = checked(discoveryOptions, options, 'nomadDiscovery options')
    this.#clock = clock
    this.#random = random
    this.#client = new NomadClient(this.#options, clock)
    this.scaling = nomadScaling(this.#client, this.#options.job, this.#options.group)
  }

  watch(listeners: DiscoveryListeners, signal: AbortSignal): Promise<void> {
    const { retryMs, maxRetryMs } = this.#options
    const watching = { clock: this.#clock, random: this.#random, delayMs: retryMs, maxDelayMs: maxRetryMs }
    return keepLooking(this.#looks(signal), watching, listeners, signal)
  }

  /** Each look goes on where the last one ended; after one that failed the next starts again. */
  #looks(signal: AbortSignal): () => Promise<Look> {
    const { job, group, portLabel, waitMs } = this.#options
    const reader = new AllocationReader(this.#client, job, group)
    let next = 0
    let hasty = 0
    return async () => {
      const index = next
      next = 0
      const startedAt = this.#clock.now()
      const { value, index: answered } = await reader.read({ index, waitMs }, signal)
      next = nextIndex(index, answered)
      hasty = hastyReads(hasty, this.#clock.now() - startedAt)
      return { containers: containersIn(value, group, portLabel), nextAfterMs: restMs(hasty) }
    }
  }
}
