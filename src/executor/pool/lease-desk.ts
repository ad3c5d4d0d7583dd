/** Floor 3: slots for those who ask, first come first served. Browser compatible. */
import type { Clock } from '../../ports/clock.ts'
import type { Lease } from './lease.ts'
import type { LeaseBook } from './lease-book.ts'
import type { PoolEvent } from './pool-events.ts'
import type { Roster } from './roster.ts'
import { Waiter, type Waiters } from './waiters.ts'

/** What is asked for. */
export interface LeaseRequest {
  readonly trajectoryId: string | null
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
}

/** What a desk is made of. */
export interface LeaseDeskParts {
  readonly clock: Clock
  readonly roster: Roster
  readonly leases: LeaseBook
  readonly waiters: Waiters
  readonly emit: ((event: PoolEvent) => void) | undefined
}

/** Where leases are asked for. Asking and being served are O(1); who is refused is told of each container. */
export class LeaseDesk {
  readonly #parts: LeaseDeskParts

  constructor(parts: LeaseDeskParts) {
    this.#parts = parts
  }

  /** Leases a slot now or in its turn; a trajectory that has a lease gets that one. Rejects with {@link AcquireError}. */
  async acquire({ trajectoryId, timeoutMs, signal }: LeaseRequest): Promise<Lease> {
    const { clock, roster, leases, waiters, emit } = this.#parts
    const held = trajectoryId === null ? undefined : leases.of(trajectoryId)
    if (held !== undefined) return held
    if (signal?.aborted) throw waiters.refusal('aborted', clock.now())
    const slot = waiters.size === 0 ? roster.take() : undefined
    if (slot !== undefined) return leases.issue(slot, trajectoryId, clock.now(), 0)
    if (timeoutMs === 0) throw waiters.refusal('timeout', clock.now())
    const waiter = new Waiter(trajectoryId, signal, clock.now())
    waiters.add(waiter, timeoutMs)
    emit?.({ type: 'acquire.waiting', trajectoryId, waiters: waiters.size })
    return waiter.lease
  }

  /** Hands free slots to those who wait. */
  serve(): void {
    const { roster, leases, waiters } = this.#parts
    while (waiters.size > 0) {
      const slot = roster.take()
      if (slot === undefined) return
      const first = waiters.shift()
      if (first === undefined) return
      const lease = leases.issue(slot, first.trajectoryId, first.since, waiters.size)
      first.serve(lease)
      // Others may wait for the same trajectory: it has its slot now.
      if (first.trajectoryId !== null) waiters.serveOf(first.trajectoryId, lease)
    }
  }
}
