/** Floor 3: a container and its slots as the pool sees them. Browser compatible. */
import type { Container } from '../container.ts'
import type { Slot } from '../slot.ts'
import type { SlotRunner } from '../slot-runner.ts'
import type { Choosable } from './free-slots.ts'
import type { Lease } from './lease.ts'
import type { ContainerState } from './pool-events.ts'

/** One slot, and who has it. */
export interface PooledSlot {
  readonly slot: Slot
  readonly runner: SlotRunner
  readonly home: PooledContainer
  lease: Lease | undefined
}

/** One life of a container: when it is lost and comes back, its slots are new ones. */
export class PooledContainer implements Choosable<PooledSlot> {
  state: ContainerState = 'joining'
  readonly slots: PooledSlot[] = []
  readonly free = new Set<PooledSlot>()
  /** Looks at its health that failed in a row. */
  failedChecks = 0
  /** Since when no slot is leased; undefined while one is. */
  idleSince: number | undefined
  /** It is in the list of the discovery. */
  isListed = true
  timer: unknown
  #leased = 0

  constructor(
    readonly addr: string,
    readonly allocId: string | undefined,
    /** Its place among those of a cluster: the highest leaves first when there are fewer. */
    readonly index: number | undefined,
    readonly container: Container,
  ) {}

  get inFlight(): number {
    return this.container.inFlight
  }

  get leases(): Lease[] {
    return this.slots.flatMap(({ lease }) => (lease === undefined ? [] : [lease]))
  }

  get isLeased(): boolean {
    return this.#leased > 0
  }

  /** Slots that are leased. */
  get leased(): number {
    return this.#leased
  }

  lease(pooled: PooledSlot, lease: Lease): void {
    pooled.lease = lease
    this.#leased += 1
    this.idleSince = undefined
  }

  unlease(pooled: PooledSlot, now: number): void {
    if (pooled.lease === undefined) return
    pooled.lease = undefined
    this.#leased -= 1
    if (this.#leased === 0) this.idleSince = now
  }
}
