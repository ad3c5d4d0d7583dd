/** Whether a pool has slots that can still be used. */
import type { PoolEvent } from '../../executor/pool/pool-events.ts'
import type { PoolStats } from '../../executor/pool/pool-stats.ts'

/** Watches a pool by what it tells: how much it ever had, and when nothing is left of it. */
export class SlotsLeft implements Disposable {
  /** The most that there were at one time. */
  readonly peak = { slots: 0, containers: 0 }
  readonly #stats: () => PoolStats
  readonly #patienceMs: number
  readonly #none = new AbortController()
  #timer: ReturnType<typeof setTimeout> | undefined
  #lastLoss = 'there never was one'

  /** Without a slot it waits for `patienceMs`: one may come. */
  constructor(stats: () => PoolStats, patienceMs: number) {
    this.#stats = stats
    this.#patienceMs = patienceMs
    this.look()
  }

  /** Fires when no slot is left; its reason is the last loss. */
  get none(): AbortSignal {
    return this.#none.signal
  }

  /** For `onEvent` of the pool. */
  onEvent(event: PoolEvent): void {
    if (event.type === 'container.changed') {
      if (event.to === 'lost') this.#lastLoss = `container ${event.container} is lost: ${event.reason}`
      this.look()
    } else if (event.type === 'slot.quarantined' || event.type === 'container.left') this.look()
  }

  /** A slot was lost in this way. */
  lost(reason: string): void {
    this.#lastLoss = reason
    this.look()
  }

  look(): void {
    const { slots, containers } = this.#stats()
    if (slots.total > this.peak.slots)
      Object.assign(this.peak, { slots: slots.total, containers: containers.length })
    if (hasUsable(containers)) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    } else this.#timer ??= setTimeout(() => this.#end(), this.#patienceMs)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }

  /** A slot in quarantine may have come back without a word. */
  #end(): void {
    this.#timer = undefined
    if (!hasUsable(this.#stats().containers)) this.#none.abort(new Error(this.#lastLoss))
  }
}

/** The loss of a container is told before its slots leave. */
function hasUsable(containers: PoolStats['containers']): boolean {
  return containers.some(({ state, slots }) => state !== 'lost' && slots.total > slots.faulted)
}
