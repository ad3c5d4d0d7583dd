/** Floor 3: the containers of a pool, their slots, and which of them are free. Browser compatible. */
import type { DiscoveredContainer } from '../../ports/discovery.ts'
import type { ContainerStatus } from '../../protocol/health.ts'
import { containerAddress } from '../addresses.ts'
import type { ExecutorInternals } from '../internals.ts'
import { runnerOf, type SlotDoor } from '../slot.ts'
import { FreeSlots } from './free-slots.ts'
import type { Lease } from './lease.ts'
import type { ContainerState, PoolEvent } from './pool-events.ts'
import { type Listing, PooledContainer, type PooledSlot } from './pooled-container.ts'
import { SlotKeeper } from './slot-keeper.ts'

/** What a roster is made of. */
export interface RosterParts {
  readonly executor: SlotDoor
  readonly internals: ExecutorInternals
  readonly slotsPerContainer: number | undefined
  readonly emit: ((event: PoolEvent) => void) | undefined
  /** A slot has become free. */
  readonly onFreed: () => void
  /** The container of a lease is dead. */
  readonly onLeaseLost: (lease: Lease, reason: string) => void
  /** A container has joined, or is back: its health is to be looked at. */
  readonly onJoined: (container: PooledContainer) => void
  /** A container has left: of the pool's own executor nobody has its slots any more. */
  readonly onGone: (addr: string) => void
  /** The link to a container is lost. */
  readonly onLinkDown: (container: PooledContainer) => void
}

/** Who is there, and what is free. */
export class Roster {
  readonly #parts: RosterParts
  readonly #containers = new Map<string, PooledContainer>()
  readonly #free = new FreeSlots<PooledSlot, PooledContainer>()
  readonly #keeper: SlotKeeper
  /** Addresses whose slots were lost with what they held. */
  readonly #unclean = new Set<string>()

  constructor(parts: RosterParts) {
    this.#parts = parts
    const { executor, internals, emit } = parts
    this.#keeper = new SlotKeeper({ executor, internals, emit, onFree: (pooled) => this.#freed(pooled) })
  }

  get containers(): readonly PooledContainer[] {
    return [...this.#containers.values()]
  }

  has(container: PooledContainer): boolean {
    return this.#containers.get(container.addr) === container
  }

  /** Follows the list of the discovery. */
  update(listed: readonly DiscoveredContainer[]): void {
    const seen = new Set<string>()
    for (const item of listed) {
      const addr = containerAddress(item.addr)
      seen.add(addr)
      this.#listed(addr, item)
    }
    for (const [addr, container] of this.#containers) if (!seen.has(addr)) this.#unlisted(container)
  }

  /** A free slot of the container that has most. */
  take(): PooledSlot | undefined {
    for (;;) {
      const slot = this.#free.take()
      if (slot === undefined || slot.runner.state === 'idle') return slot
      void this.#keeper.awaitOthers(slot)
    }
  }

  /** Takes a slot back from its lease; resolves when nobody holds it. */
  giveBack(pooled: PooledSlot, reset: boolean): Promise<void> {
    return this.#keeper.giveBack(pooled, reset)
  }

  /** The container says that it is well: its slots can be leased. */
  answered(container: PooledContainer, status: ContainerStatus): void {
    if (container.state === 'lost') {
      this.#revive(container, status)
      return
    }
    if (container.isOther(status)) {
      this.lose(container, 'it was started anew, with other workspaces')
      this.#revive(container, status)
      return
    }
    if (container.slots.length === 0) this.#addSlots(container, status)
    if (container.state === 'joining' || container.state === 'suspect')
      this.#turn(container, 'healthy', 'it answers')
    for (const pooled of container.slots) void this.#keeper.tryAgain(pooled)
  }

  /** A suspicion: nothing new is handed out. */
  suspect(container: PooledContainer, reason: string): void {
    if (container.state === 'healthy') this.#turn(container, 'suspect', reason)
  }

  /** The container is dead: what its leases hold is lost, its slots leave. One that has none yet is still awaited. */
  lose(container: PooledContainer, reason: string): void {
    if (container.state === 'lost' || container.state === 'joining') return
    this.#turn(container, 'lost', reason)
    this.#unclean.add(container.addr)
    for (const lease of container.leases) this.#parts.onLeaseLost(lease, reason)
    this.#parts.internals.core.giveUpContainer(
      container.container,
      `Container ${container.addr} is lost: ${reason}`,
    )
    for (const pooled of container.slots) {
      if (pooled.runner.state === 'acquired') pooled.runner.endLease()
      container.unlease(pooled, this.#now())
    }
    container.slots.length = 0
    container.free.clear()
    if (container.listing === 'unlisted') this.#remove(container)
  }

  /** An idle container that the cluster is asked to take away: it drains, whatever the discovery lists meanwhile. */
  retire(container: PooledContainer, reason: string): void {
    container.isRetired = true
    this.#drain(container, reason)
  }

  /** The cluster did not take it away: it is used again. */
  keep(container: PooledContainer): void {
    container.isRetired = false
    if (container.listing === 'listed') this.#useAgain(container, 'it was not taken away')
  }

  #listed(addr: string, item: DiscoveredContainer): void {
    const known = this.#containers.get(addr)
    if (known !== undefined && known.allocId === item.allocId) {
      known.listing = listingOf(item)
      if (known.listing === 'draining') this.#drain(known, 'the discovery says that it drains')
      else if (!known.isRetired) this.#useAgain(known, 'it is listed again')
      return
    }
    if (known !== undefined) {
      this.lose(known, 'another container has its address')
      this.#remove(known)
    }
    if (listingOf(item) === 'listed') this.#join(addr, item.allocId, item.index)
  }

  #join(addr: string, allocId: string | undefined, index: number | undefined): PooledContainer {
    const container = new PooledContainer(addr, allocId, index, this.#parts.internals.slots.container(addr))
    container.container.onLinkDown = () => this.#parts.onLinkDown(container)
    this.#containers.set(addr, container)
    this.#parts.onJoined(container)
    return container
  }

  #unlisted(container: PooledContainer): void {
    container.listing = 'unlisted'
    if (container.state === 'lost' || container.state === 'joining') this.#remove(container)
    else this.#drain(container, 'the discovery does not list it any more')
  }

  /** Nothing new is handed out; the container leaves when its last lease has ended. */
  #drain(container: PooledContainer, reason: string): void {
    if (container.state !== 'lost' && container.state !== 'draining')
      this.#turn(container, 'draining', reason)
    this.#removeIfDone(container)
  }

  #useAgain(container: PooledContainer, reason: string): void {
    if (container.state !== 'draining') return
    this.#turn(container, 'suspect', reason)
    this.#parts.onJoined(container)
  }

  #revive(container: PooledContainer, status: ContainerStatus): void {
    this.#remove(container)
    if (container.listing !== 'listed') return
    const fresh = this.#join(container.addr, container.allocId, container.index)
    this.#addSlots(fresh, status)
    this.#turn(fresh, 'healthy', 'it answers again')
  }

  #addSlots(container: PooledContainer, status: ContainerStatus): void {
    const slotCount = usedSlots(this.#parts.slotsPerContainer, status)
    if (slotCount === undefined) {
      container.trouble = 'its health does not say how many slots it has: say slotsPerContainer, or its token'
      return
    }
    const { executor, internals } = this.#parts
    container.know(status)
    container.idleSince = this.#now()
    // What the workspaces of a lost life hold is somebody's.
    const isUnclean = this.#unclean.delete(container.addr)
    for (const slot of internals.slots.slots(container.addr, slotCount)) {
      const pooled = { slot, runner: runnerOf(slot, executor), home: container, lease: undefined }
      container.slots.push(pooled)
      if (isUnclean) void this.#keeper.empty(pooled)
      else container.free.add(pooled)
    }
  }

  #turn(container: PooledContainer, to: ContainerState, reason: string): void {
    const from = container.state
    container.state = to
    if (to === 'healthy') this.#free.add(container)
    else this.#free.delete(container)
    const slots = container.slots.length
    this.#parts.emit?.({ type: 'container.changed', container: container.addr, from, to, slots, reason })
    if (to === 'healthy') this.#parts.onFreed()
  }

  #freed(pooled: PooledSlot): void {
    const { home } = pooled
    home.free.add(pooled)
    this.#free.moved(home)
    if (home.state === 'draining') this.#removeIfDone(home)
    else this.#parts.onFreed()
  }

  #removeIfDone(container: PooledContainer): void {
    if (!container.isHeld && container.listing === 'unlisted') this.#remove(container)
  }

  #remove(container: PooledContainer): void {
    this.#free.delete(container)
    if (!this.has(container)) return
    this.#containers.delete(container.addr)
    container.container.onLinkDown = undefined
    this.#parts.internals.core.clock.clearTimeout(container.timer)
    this.#parts.emit?.({ type: 'container.left', container: container.addr })
    if (container.listing === 'unlisted') this.#parts.onGone(container.addr)
  }

  #now(): number {
    return this.#parts.internals.core.clock.now()
  }
}

function listingOf({ draining }: DiscoveredContainer): Listing {
  return draining ? 'draining' : 'listed'
}

/** How many slots of a container are used; undefined when nobody says. */
function usedSlots(limit: number | undefined, { slots }: ContainerStatus): number | undefined {
  const isCount = slots !== undefined && Number.isInteger(slots) && slots > 0
  return isCount ? Math.min(slots, limit ?? slots) : limit
}
