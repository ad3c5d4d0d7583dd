/** Floor 2: containers whose addresses are known, or told by a function. Browser compatible. */
import * as v from 'valibot'
import type { Clock } from '../ports/clock.ts'
import type { DiscoveredContainer, Discovery, DiscoveryListeners } from '../ports/discovery.ts'
import { realClock } from '../ports/real-clock.ts'
import { address } from '../protocol/address.ts'
import { checked, milliseconds, text } from '../usage.ts'
import { keepLooking, type Look } from './watching.ts'

/** A container by its address, or with what else is known of it. */
export type StaticContainer = string | DiscoveredContainer

/** Tells which containers there are now. Whatever it throws is told as trouble. */
export type ContainersFunction = (
  /** Fires when nobody wants to know any more. */
  signal: AbortSignal,
) => readonly StaticContainer[] | Promise<readonly StaticContainer[]>

/** Options of {@link staticDiscovery}. */
export interface StaticDiscoveryOptions {
  /** How often a function is asked, and the first pause after it failed, in milliseconds. Default 5,000. */
  readonly intervalMs?: number
}

const byAddress = v.pipe(
  address,
  v.transform((addr): DiscoveredContainer => ({ addr })),
)
const described = v.strictObject({
  addr: address,
  allocId: v.exactOptional(text),
  draining: v.exactOptional(v.boolean()),
})
const container = v.lazy(
  (input): v.GenericSchema<unknown, DiscoveredContainer> =>
    typeof input === 'object' && input !== null ? described : byAddress,
)
const containers = v.array(container, 'it must be an array of addresses')
const staticOptions = v.strictObject({ intervalMs: v.optional(milliseconds, 5_000) })

/**
 * Containers whose addresses are known: a list that stays, or a function that is asked again every `intervalMs`. What
 * the function throws is told as trouble, and it is asked again after growing pauses.
 *
 * Throws a `SandboxUsageError` for what is no address, and for an unknown option.
 *
 * @example
 * ```ts
 * import { staticDiscovery } from 'sandbox-slots'
 * const discovery = staticDiscovery(['http://10.0.0.1:8080', '10.0.0.2:8080'])
 * const controller = new AbortController()
 * const onChange = (found) => {
 *   console.log(found.length) // 2
 *   controller.abort()
 * }
 * await discovery.watch({ onChange, onTrouble: ({ message }) => console.error(message) }, controller.signal)
 * ```
 */
export function staticDiscovery(
  addresses: readonly StaticContainer[] | ContainersFunction,
  options: StaticDiscoveryOptions = {},
): Discovery {
  return new StaticDiscovery(addresses, options)
}

/** What {@link staticDiscovery} makes. */
export class StaticDiscovery implements Discovery {
  readonly #ask: (signal: AbortSignal) => Promise<readonly DiscoveredContainer[]>
  readonly #intervalMs: number
  /** A list is read once. */
  readonly #nextAfter: Pick<Look, 'nextAfterMs'>
  readonly #clock: Clock

  constructor(
    addresses: readonly StaticContainer[] | ContainersFunction,
    options: StaticDiscoveryOptions = {},
    clock: Clock = realClock,
  ) {
    const { intervalMs } = checked(staticOptions, options, 'staticDiscovery options')
    this.#intervalMs = intervalMs
    this.#clock = clock
    if (typeof addresses === 'function') {
      this.#ask = async (signal) =>
        listed(await addresses(signal), 'what the function of staticDiscovery gave')
      this.#nextAfter = { nextAfterMs: intervalMs }
    } else {
      const list = listed(addresses, 'the addresses of staticDiscovery')
      this.#ask = async () => list
      this.#nextAfter = {}
    }
  }

  watch(listeners: DiscoveryListeners, signal: AbortSignal): Promise<void> {
    const watching = {
      clock: this.#clock,
      random: Math.random,
      delayMs: this.#intervalMs,
      maxDelayMs: 12 * this.#intervalMs,
    }
    const look = async () => ({ containers: await this.#ask(signal), ...this.#nextAfter })
    return keepLooking(look, watching, listeners, signal)
  }
}

/** The containers of a list, each address once. Throws `SandboxUsageError`. */
function listed(list: unknown, subject: string): readonly DiscoveredContainer[] {
  const found = checked(containers, list, subject)
  return [...new Map(found.map((one) => [one.addr, one])).values()]
}
