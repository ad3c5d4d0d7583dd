/** Floor 3: a pool in numbers. Browser compatible. */
import type { LinkState } from '../../actors/states.ts'
import type { ContainerState } from './pool-events.ts'
import type { PooledContainer, PooledSlot } from './pooled-container.ts'
import type { Waiters } from './waiters.ts'

/** A container of a pool in numbers. */
export interface ContainerStats {
  readonly addr: string
  readonly state: ContainerState
  readonly link: LinkState
  readonly slots: SlotCounts
  /** Calls that are posted and not answered. */
  readonly inFlight: number
}

/** Slots by what the pool does with them. The parts add up to the total. */
export interface SlotCounts {
  readonly total: number
  /** To be leased, if their container is healthy. */
  readonly free: number
  readonly leased: number
  /** On their way back: the last call of a lease still runs, or the workspace is being emptied. */
  readonly resetting: number
  /** In quarantine: their reset failed. It is tried again. */
  readonly faulted: number
}

/** A pool in numbers. Times are milliseconds. */
export interface PoolStats {
  readonly state: PoolState
  readonly slots: SlotCounts
  readonly waiters: number
  /** How long the first of them has waited. */
  readonly longestWaitMs: number
  /** Of the last 1,000 leases: how long they were waited for. */
  readonly waitMs: { readonly p50: number; readonly p95: number; readonly max: number }
  readonly leases: number
  /** POSTs so far, and the calls in them. */
  readonly posts: number
  readonly callsPerPost: number
  readonly containers: readonly ContainerStats[]
}

/** What a pool shows. */
export type PoolState = 'starting' | 'running' | 'draining' | 'stopped'

const keptWaits = 1_000

/** The last waits, in a ring. */
export class Waits {
  readonly #ms: number[] = []
  #next = 0

  add(ms: number): void {
    this.#ms[this.#next] = ms
    this.#next = (this.#next + 1) % keptWaits
  }

  summary(): PoolStats['waitMs'] {
    const sorted = this.#ms.toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return { p50: at(0.5), p95: at(0.95), max: at(1) }
  }
}

export function poolStats(
  state: PoolState,
  containers: readonly PooledContainer[],
  waiters: Waiters,
  waits: Waits,
  leases: number,
): PoolStats {
  const each = containers.map(containerStats)
  const posts = containers.reduce((total, { container }) => total + container.posted.posts, 0)
  const calls = containers.reduce((total, { container }) => total + container.posted.calls, 0)
  return {
    state,
    slots: each.map(({ slots }) => slots).reduce(added, noSlots),
    waiters: waiters.size,
    longestWaitMs: waiters.longestMs,
    waitMs: waits.summary(),
    leases,
    posts,
    callsPerPost: posts === 0 ? 0 : calls / posts,
    containers: each,
  }
}

function containerStats({ addr, state, slots, inFlight, container }: PooledContainer): ContainerStats {
  return { addr, state, link: container.link, slots: slots.map(countOf).reduce(added, noSlots), inFlight }
}

const noSlots: SlotCounts = { total: 0, free: 0, leased: 0, resetting: 0, faulted: 0 }
const one = {
  free: { ...noSlots, total: 1, free: 1 },
  leased: { ...noSlots, total: 1, leased: 1 },
  resetting: { ...noSlots, total: 1, resetting: 1 },
  faulted: { ...noSlots, total: 1, faulted: 1 },
}

function countOf(pooled: PooledSlot): SlotCounts {
  if (pooled.home.free.has(pooled)) return one.free
  if (pooled.runner.state === 'faulted') return one.faulted
  return pooled.lease !== undefined && !pooled.lease.isReleased ? one.leased : one.resetting
}

function added(a: SlotCounts, b: SlotCounts): SlotCounts {
  return {
    total: a.total + b.total,
    free: a.free + b.free,
    leased: a.leased + b.leased,
    resetting: a.resetting + b.resetting,
    faulted: a.faulted + b.faulted,
  }
}
