/** Floor 3: more containers when somebody waits too long, fewer when one stays idle. Browser compatible. */
import { describeThrown } from '../../errors.ts'
import type { DiscoveryScaling } from '../../ports/discovery.ts'
import { pauseMs } from '../../retrying/pauses.ts'
import type { Core } from '../core.ts'
import type { PoolEvent } from './pool-events.ts'
import type { CheckedPoolOptions, CheckedScaling } from './pool-options.ts'
import type { PooledContainer } from './pooled-container.ts'
import type { Roster } from './roster.ts'
import { type ScaleView, scaleStep, viewOf } from './scale-step.ts'
import type { Waiters } from './waiters.ts'

/** How often it is looked whether to scale. */
const lookMs = 1_000

/** After a failure; it grows with each further one. */
const retry = { attempts: Infinity, delayMs: 1_000, maxDelayMs: 30_000 }

/** What a scaler is made of. */
export interface ScalerParts {
  readonly core: Core
  readonly waiters: Waiters
  readonly roster: Roster
  readonly emit: ((event: PoolEvent) => void) | undefined
}

/** Asks the discovery for more containers, or for fewer. */
export class Scaler {
  readonly #scaling: DiscoveryScaling
  readonly #options: CheckedScaling
  readonly #parts: ScalerParts
  readonly #stopped = new AbortController()
  #timer: unknown
  #lastChangeAt = -Infinity
  #failures = 0
  #notBefore = -Infinity

  private constructor(scaling: DiscoveryScaling, options: CheckedScaling, parts: ScalerParts) {
    this.#scaling = scaling
    this.#options = options
    this.#parts = parts
  }

  /** None, when the options ask for none, or the discovery cannot scale. */
  static of({ discovery, scaling }: CheckedPoolOptions, parts: ScalerParts): Scaler | undefined {
    if (scaling === undefined || discovery.scaling === undefined) return undefined
    return new Scaler(discovery.scaling, scaling, parts)
  }

  start(): void {
    this.#timer = this.#parts.core.clock.setTimeout(() => void this.#look(), lookMs)
  }

  stop(): void {
    this.#stopped.abort()
    this.#parts.core.clock.clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    const { core, roster, waiters } = this.#parts
    const now = core.clock.now()
    if (now - this.#lastChangeAt >= this.#options.cooldownMs && now >= this.#notBefore) {
      for (const container of roster.containers) if (container.isRetired) roster.keep(container)
      const view = viewOf(roster.containers, waiters, now)
      // Asking costs a request: only when there may be a reason.
      if (view.waiters > 0 || view.lastIdleSince !== undefined || view.present < this.#options.min)
        await this.#scale(view)
    }
    if (!this.#stopped.signal.aborted) this.start()
  }

  async #scale(view: ScaleView): Promise<void> {
    const { core, emit, roster } = this.#parts
    let to = 0
    let leaving: PooledContainer | undefined
    try {
      const from = await this.#scaling.current(this.#stopped.signal)
      const step = scaleStep(view, this.#options, from)
      to = from + step
      leaving = step < 0 ? view.last : undefined
      // While Nomad was asked somebody may have taken a slot there.
      if (step === 0 || leaving?.isHeld) return
      if (leaving !== undefined) roster.retire(leaving, 'it stayed idle')
      await this.#scaling.scaleTo(to, this.#stopped.signal)
      this.#lastChangeAt = core.clock.now()
      emit?.({ type: 'scale.requested', from, to, reason: reasonOf(step, view) })
      this.#failures = 0
    } catch (thrown) {
      if (this.#stopped.signal.aborted) return
      if (leaving !== undefined) roster.keep(leaving)
      this.#failures += 1
      this.#notBefore = core.clock.now() + pauseMs(this.#failures, retry, core.random)
      emit?.({ type: 'scale.failed', to, message: describeThrown(thrown) })
    }
  }
}

function reasonOf(step: number, { waiters, longestWaitMs }: ScaleView): string {
  if (step < 0) return 'one stayed idle'
  return waiters > 0 ? `the first of ${waiters} waits ${Math.round(longestWaitMs)} ms` : 'there are too few'
}
