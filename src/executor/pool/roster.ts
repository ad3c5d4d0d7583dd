/** Floor 3: the containers of a pool, their slots, and which of them are free. Browser compatible. */
import type { DiscoveredContainer } from '../../ports/discovery.ts'
import { containerAddress } from '../addresses.ts'
import { aloneRequest, ExecutionCall } from '../calls.ts'
import type { ExecutorInternals } from '../internals.ts'
import { runnerOf, type SlotDoor } from '../slot.ts'
import { FreeSlots } from './free-slots.ts'
import type { Lease } from './lease.ts'
import type { ContainerState, PoolEvent } from './pool-events.ts'
import { PooledContainer, type PooledSlot } from './pooled-container.ts'

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
  /** A container has joined: its health is to be looked at. */
  readonly onJoined: (container: PooledContainer) => void
}

/** Who is there, and what is free. */
export class Roster {
  readonly #parts: RosterParts
  readonly #containers = new Map<string, PooledContainer>()
  readonly #free = new FreeSlots<PooledSlot, PooledContainer>()

  constructor(parts: RosterParts) {
    this.#parts = parts
  }

  get containers(): readonly PooledContainer[] {
    return [...this.#containers.values()]
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
      const taken = this.#free.take()
      if (taken === undefined || taken.slot.runner.state === 'idle') return taken?.slot
      // Somebody uses the slot through the executor, past the pool: it comes back when that is over.
      void this.#freeLater(taken.slot)
    }
  }

  /** Takes a slot back from its lease; resolves when nobody holds it. */
  async giveBack(pooled: PooledSlot, reset: boolean): Promise<void> {
    const { runner, home } = pooled
    if (runner.state !== 'faulted') runner.endLease(reset ? this.#resetCall(pooled) : undefined)
    const state = await runner.untilFree()
    if (home.state === 'lost') return
    home.unlease(pooled, this.#now())
    if (state === 'idle') this.#freed(pooled)
    else this.#quarantined(pooled)
  }

  /** The container answered: its slots can be leased. */
  answered(container: PooledContainer, slotCount: number | undefined): void {
    container.failedChecks = 0
    if (container.state === 'lost') {
      this.#revive(container, slotCount)
      return
    }
    if (container.slots.length === 0) this.#addSlots(container, slotCount)
    if (container.state === 'joining' || container.state === 'suspect')
      this.#turn(container, 'healthy', 'it answers')
    for (const pooled of container.slots) void this.#tryAgain(pooled)
  }

  /** The container gave no answer: a suspicion; nothing new is handed out. */
  suspect(container: PooledContainer): void {
    if (container.state === 'healthy') this.#turn(container, 'suspect', 'a look at its health failed')
  }

  /** The container is dead: what its leases hold is lost, its slots leave. */
  lose(container: PooledContainer, reason: string): void {
    if (container.state === 'lost') return
    this.#turn(container, 'lost', reason)
    const leases = container.leases
    for (const lease of leases) this.#parts.onLeaseLost(lease, reason)
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
    if (!container.isListed) this.#remove(container)
  }

  /** Nothing new is handed out; the container leaves when its last lease has ended. */
  drain(container: PooledContainer, reason: string): void {
    if (container.state === 'lost' || container.state === 'draining') return
    this.#turn(container, 'draining', reason)
    this.#removeIfDone(container)
  }

  #listed(addr: string, item: DiscoveredContainer): void {
    const known = this.#containers.get(addr)
    if (known !== undefined && known.allocId === item.allocId) {
      known.isListed = true
      if (item.draining) this.drain(known, 'the discovery says that it drains')
      else if (known.state === 'draining') this.#turn(known, 'healthy', 'it is listed again')
      return
    }
    if (known !== undefined) {
      known.isListed = false
      this.lose(known, 'another container has its address')
      this.#remove(known)
    }
    if (!item.draining) this.#join(addr, item.allocId, item.index)
  }

  #join(addr: string, allocId: string | undefined, index: number | undefined): PooledContainer {
    const container = new PooledContainer(addr, allocId, index, this.#parts.internals.slots.container(addr))
    this.#containers.set(addr, container)
    this.#parts.onJoined(container)
    return container
  }

  #unlisted(container: PooledContainer): void {
    container.isListed = false
    if (container.state === 'lost') this.#remove(container)
    else this.drain(container, 'the discovery does not list it any more')
  }

  #revive(container: PooledContainer, slotCount: number | undefined): void {
    this.#remove(container)
    if (!container.isListed) return
    const fresh = this.#join(container.addr, container.allocId, container.index)
    this.#addSlots(fresh, slotCount)
    // What its workspaces hold is of the life before.
    for (const pooled of fresh.slots) {
      fresh.free.delete(pooled)
      void this.#emptied(pooled)
    }
    this.#turn(fresh, 'healthy', 'it answers again')
  }

  #addSlots(container: PooledContainer, announced: number | undefined): void {
    const slotCount = this.#parts.slotsPerContainer ?? announced
    if (slotCount === undefined || slotCount < 1) return
    const { executor, internals } = this.#parts
    for (const slot of internals.slots.slots(container.addr, slotCount)) {
      const pooled = { slot, runner: runnerOf(slot, executor), home: container, lease: undefined }
      container.slots.push(pooled)
      container.free.add(pooled)
    }
    container.idleSince = this.#now()
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

  #quarantined({ home, slot }: PooledSlot): void {
    this.#parts.emit?.({ type: 'slot.quarantined', container: home.addr, slotId: slot.slotId })
  }

  /** A slot in quarantine gets another reset. */
  async #tryAgain(pooled: PooledSlot): Promise<void> {
    if (pooled.lease === undefined && pooled.runner.state === 'faulted') await this.#emptied(pooled)
  }

  async #emptied(pooled: PooledSlot): Promise<void> {
    const { success } = await this.#parts.executor.resetSlot(pooled.slot)
    if (pooled.home.state === 'lost' || pooled.lease !== undefined) return
    if (success) this.#freed(pooled)
    else this.#quarantined(pooled)
  }

  async #freeLater(pooled: PooledSlot): Promise<void> {
    if ((await pooled.runner.untilFree()) === 'idle' && pooled.home.state !== 'lost') this.#freed(pooled)
  }

  #resetCall({ runner }: PooledSlot): ExecutionCall {
    const { core, timeoutMs } = this.#parts.internals
    const parts = {
      slot: runner,
      tool: 'reset',
      executionId: crypto.randomUUID(),
      timeoutMs,
      signal: undefined,
    }
    const call = new ExecutionCall(aloneRequest({ ...parts, queuedAt: this.#now(), route: '/reset' }, {}))
    core.admit(call)
    return call
  }

  #removeIfDone(container: PooledContainer): void {
    if (!container.isLeased && !container.isListed) this.#remove(container)
  }

  #remove(container: PooledContainer): void {
    this.#free.delete(container)
    if (this.#containers.get(container.addr) === container) this.#containers.delete(container.addr)
    this.#parts.internals.core.clock.clearTimeout(container.timer)
  }

  #now(): number {
    return this.#parts.internals.core.clock.now()
  }
}
