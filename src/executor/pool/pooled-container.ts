/** Floor 3: a container and its slots as the pool sees them. Browser compatible. */
import type { ContainerStatus } from '../../protocol/health.ts'
import type { Container } from '../container.ts'
import type { Slot } from '../slot.ts'
import type { SlotRunner } from '../slot-runner.ts'
import type { Choosable } from './free-slots.ts'
import type { Lease } from './lease.ts'
import { Line } from './line.ts'
import type { ContainerState } from './pool-events.ts'

/** One slot, and who has it. */
export interface PooledSlot {
  readonly slot: Slot
  readonly runner: SlotRunner
  readonly home: PooledContainer
  lease: Lease | undefined
}

/** What the discovery says of a container. */
export type Listing = 'listed' | 'draining' | 'unlisted'

/** One life of a container: when it is lost and comes back, its slots are new ones. */
export class PooledContainer implements Choosable<PooledSlot> {
  state: ContainerState = 'joining'
  readonly slots: PooledSlot[] = []
  readonly free = new Line<PooledSlot>()
  /** Looks at its health in a row that found no answer. */
  unanswered = 0
  /** Looks at its health in a row that found no answer, or none that says ok. */
  troubledLooks = 0
  /** Why no slot of it is to be had, as far as that lies with the container. */
  trouble: string | undefined
  /** Since when no slot is leased; undefined while one is. */
  idleSince: number | undefined
  listing: Listing = 'listed'
  /** The cluster was asked to take it away: it drains whatever the discovery lists. */
  isRetired = false
  timer: unknown
  #held = 0
  #identity: string | undefined
  #answersSeen = 0

  constructor(
    readonly addr: string,
    readonly allocId: string | undefined,
    /** Its place among those of a cluster: the highest leaves first when there are fewer. */
    readonly index: number | undefined,
    readonly container: Container,
  ) {}

  /** Whether it has answered a call since this was asked last. */
  showsLife(): boolean {
    const { answers } = this.container
    const isAlive = answers > this.#answersSeen
    this.#answersSeen = answers
    return isAlive
  }

  /** Remembers whose workspaces its slots are. */
  know(status: ContainerStatus): void {
    this.#identity = identityOf(status)
  }

  /** Whether another server, with other workspaces, answers at its address now. */
  isOther(status: ContainerStatus): boolean {
    const identity = identityOf(status)
    return this.#identity !== undefined && identity !== undefined && identity !== this.#identity
  }

  get inFlight(): number {
    return this.container.inFlight
  }

  get leases(): Lease[] {
    return this.slots.flatMap(({ lease }) => (lease === undefined ? [] : [lease]))
  }

  /** Whether somebody holds a slot of it, or has just given it back. */
  get isHeld(): boolean {
    return this.#held > 0
  }

  lease(pooled: PooledSlot, lease: Lease): void {
    pooled.lease = lease
    this.#held += 1
    this.idleSince = undefined
  }

  unlease(pooled: PooledSlot, now: number): void {
    if (pooled.lease === undefined) return
    pooled.lease = undefined
    this.#held -= 1
    if (this.#held === 0) this.idleSince = now
  }
}

/** What stays the same as long as the workspaces do: the ledger beside them, or their directory. */
function identityOf({ ledger, dataDir }: ContainerStatus): string | undefined {
  return ledger ?? dataDir
}
