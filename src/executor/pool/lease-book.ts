/** Floor 3: who holds which slot. Browser compatible. */
import type { Core } from '../core.ts'
import { Lease, type LeaseDoor } from './lease.ts'
import type { PoolEvent } from './pool-events.ts'
import { Waits } from './pool-stats.ts'
import type { PooledSlot } from './pooled-container.ts'
import type { Roster } from './roster.ts'

/** What a lease book is made of. */
export interface LeaseBookParts {
  readonly execute: LeaseDoor['execute']
  readonly core: Core
  readonly roster: Roster
  readonly emit: ((event: PoolEvent) => void) | undefined
}

/** Makes leases, and takes their slots back. */
export class LeaseBook {
  readonly waits = new Waits()
  readonly #parts: LeaseBookParts
  readonly #held = new Map<Lease, PooledSlot>()
  readonly #door: LeaseDoor
  readonly #byTrajectory = new Map<string, Lease>()
  #generation = 0
  #emptied: (() => void) | undefined

  constructor(parts: LeaseBookParts) {
    this.#parts = parts
    const { execute } = parts
    this.#door = { execute, release: (lease, reset) => this.#release(lease, reset) }
  }

  get size(): number {
    return this.#held.size
  }

  /** The lease that a trajectory holds. */
  of(trajectoryId: string): Lease | undefined {
    return this.#byTrajectory.get(trajectoryId)
  }

  /** Leases a free slot to one who has asked at `since`. */
  issue(pooled: PooledSlot, trajectoryId: string | null, since: number, waiters: number): Lease {
    const { core, emit } = this.#parts
    this.#generation += 1
    const lease = new Lease(pooled.slot, this.#generation, trajectoryId, this.#door)
    pooled.runner.acquire(trajectoryId)
    pooled.home.lease(pooled, lease)
    this.#held.set(lease, pooled)
    if (trajectoryId !== null) this.#byTrajectory.set(trajectoryId, lease)
    const waitedMs = core.clock.now() - since
    this.waits.add(waitedMs)
    const { containerAddr: container, slotId, generation } = lease
    emit?.({ type: 'lease.acquired', container, slotId, generation, trajectoryId, waitedMs, waiters })
    return lease
  }

  /** The container of the lease is dead. */
  lose(lease: Lease, reason: string): void {
    // One that was released is nobody's any more.
    if (!this.#held.has(lease)) return
    this.#forget(lease)
    lease.lose(reason)
    const { containerAddr: container, slotId, generation } = lease
    this.#parts.emit?.({ type: 'lease.lost', container, slotId, generation, reason })
  }

  loseAll(reason: string): void {
    for (const [lease, { runner }] of this.#held) {
      this.lose(lease, reason)
      if (runner.state !== 'idle' && runner.state !== 'faulted') runner.endLease()
    }
  }

  /** Resolves when no lease is held, or after `graceMs`. */
  async untilEmpty(graceMs: number): Promise<void> {
    if (this.#held.size === 0 || graceMs === 0) return
    const { clock } = this.#parts.core
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#emptied = resolve
    const timer = clock.setTimeout(resolve, graceMs)
    await promise
    clock.clearTimeout(timer)
  }

  async #release(lease: Lease, reset: boolean): Promise<void> {
    const pooled = this.#held.get(lease)
    if (pooled === undefined) return
    this.#forget(lease)
    const { containerAddr: container, slotId, generation } = lease
    this.#parts.emit?.({ type: 'lease.released', container, slotId, generation, reset })
    await this.#parts.roster.giveBack(pooled, reset)
  }

  #forget(lease: Lease): void {
    this.#held.delete(lease)
    const { trajectoryId } = lease
    if (trajectoryId !== null && this.#byTrajectory.get(trajectoryId) === lease)
      this.#byTrajectory.delete(trajectoryId)
    if (this.#held.size === 0) this.#emptied?.()
  }
}
