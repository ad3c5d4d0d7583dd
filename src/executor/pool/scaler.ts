/** Floor 3: more containers when somebody waits too long, fewer when one stays idle. Browser compatible. */
import { describeThrown } from '../../errors.ts'
import type { DiscoveryScaling } from '../../ports/discovery.ts'
import type { Core } from '../core.ts'
import type { PoolEvent } from './pool-events.ts'
import type { CheckedPoolOptions, CheckedScaling } from './pool-options.ts'
import type { PooledContainer } from './pooled-container.ts'
import type { Roster } from './roster.ts'
import type { Waiters } from './waiters.ts'

/** How often it is looked whether to scale. */
const lookMs = 1_000

/** What the decision is made of. Times are milliseconds. */
export interface ScaleView {
  readonly now: number
  readonly lastChangeAt: number
  readonly longestWaitMs: number
  readonly waiters: number
  readonly slotsPerContainer: number
  /** The container that leaves first when there are fewer, and since when it is idle. */
  readonly lastIdleSince: number | undefined
}

/** How many containers there should be more, or fewer; 0 for no change. Pure. */
export function scaleStep(view: ScaleView, options: CheckedScaling, current: number): number {
  if (view.now - view.lastChangeAt < options.cooldownMs) return 0
  if (view.waiters > 0 && view.longestWaitMs >= options.waitMs) {
    const wanted = Math.ceil(view.waiters / Math.max(1, view.slotsPerContainer))
    return Math.max(0, Math.min(wanted, options.max - current))
  }
  const isIdle = view.lastIdleSince !== undefined && view.now - view.lastIdleSince >= options.idleMs
  return view.waiters === 0 && isIdle && current > options.min ? -1 : 0
}

/** Asks the discovery for more containers, or for fewer. */
export class Scaler {
  readonly #stopped = new AbortController()
  #timer: unknown
  #lastChangeAt = -Infinity

  private constructor(
    readonly scaling: DiscoveryScaling,
    readonly options: CheckedScaling,
    readonly core: Core,
    readonly waiters: Waiters,
    readonly roster: Roster,
    readonly emit: ((event: PoolEvent) => void) | undefined,
  ) {}

  /** None, when the options ask for none, or the discovery cannot scale. */
  static of(options: CheckedPoolOptions, core: Core, waiters: Waiters, roster: Roster): Scaler | undefined {
    const { scaling } = options.discovery
    if (options.scaling === undefined || scaling === undefined) return undefined
    return new Scaler(scaling, options.scaling, core, waiters, roster, options.onEvent)
  }

  start(): void {
    this.#timer = this.core.clock.setTimeout(() => void this.#look(), lookMs)
  }

  stop(): void {
    this.#stopped.abort()
    this.core.clock.clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    const view = this.#view()
    // Asking costs a request: only when there may be a reason.
    if (view.waiters > 0 || view.lastIdleSince !== undefined) await this.#scale(view)
    if (!this.#stopped.signal.aborted) this.start()
  }

  async #scale(view: ScaleView): Promise<void> {
    if (view.now - this.#lastChangeAt < this.options.cooldownMs) return
    let to = 0
    try {
      const from = await this.scaling.current(this.#stopped.signal)
      const step = scaleStep(view, this.options, from)
      if (step === 0) return
      to = from + step
      const last = leavesFirst(this.roster.containers)
      if (step < 0 && (last === undefined || last.isLeased)) return
      if (step < 0 && last !== undefined) this.roster.drain(last, 'it stayed idle')
      await this.scaling.scaleTo(to, this.#stopped.signal)
      this.#lastChangeAt = this.core.clock.now()
      const reason =
        step > 0 ? `the first of ${view.waiters} waits ${Math.round(view.longestWaitMs)} ms` : 'one is idle'
      this.emit?.({ type: 'scale.requested', from, to, reason })
    } catch (thrown) {
      if (!this.#stopped.signal.aborted)
        this.emit?.({ type: 'scale.failed', to, message: describeThrown(thrown) })
    }
  }

  #view(): ScaleView {
    const { containers } = this.roster
    const slots = containers.reduce((sum, container) => sum + container.slots.length, 0)
    return {
      now: this.core.clock.now(),
      lastChangeAt: this.#lastChangeAt,
      longestWaitMs: this.waiters.longestMs,
      waiters: this.waiters.size,
      slotsPerContainer: containers.length === 0 ? 1 : Math.max(1, Math.round(slots / containers.length)),
      lastIdleSince: leavesFirst(containers)?.idleSince,
    }
  }
}

/** The container with the highest index: the cluster takes that one away first. */
function leavesFirst(containers: readonly PooledContainer[]): PooledContainer | undefined {
  let last: PooledContainer | undefined
  for (const container of containers) {
    if (container.index !== undefined && container.index > (last?.index ?? -1)) last = container
  }
  return last
}
