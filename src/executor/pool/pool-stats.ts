/** Floor 3: a pool in numbers. Browser compatible. */
import type { LinkState } from '../../actors/states.ts'
import type { ContainerState } from './pool-events.ts'
import type { PooledContainer } from './pooled-container.ts'
import type { Waiters } from './waiters.ts'

/** A container of a pool in numbers. */
export interface ContainerStats {
  readonly addr: string
  readonly state: ContainerState
  readonly link: LinkState
  readonly slots: number
  readonly free: number
  readonly leased: number
  /** Calls that are posted and not answered. */
  readonly inFlight: number
}

/** A pool in numbers. Times are milliseconds. */
export interface PoolStats {
  readonly state: PoolState
  readonly slots: {
    readonly total: number
    readonly free: number
    readonly leased: number
    /** In quarantine: their reset failed. */
    readonly faulted: number
  }
  readonly waiters: number
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
  const sum = (pick: (stats: ContainerStats) => number) =>
    each.reduce((total, stats) => total + pick(stats), 0)
  const posts = containers.reduce((total, { container }) => total + container.posted.posts, 0)
  const calls = containers.reduce((total, { container }) => total + container.posted.calls, 0)
  const slots = containers.flatMap((container) => container.slots)
  return {
    state,
    slots: {
      total: sum((stats) => stats.slots),
      free: sum((stats) => stats.free),
      leased: sum((stats) => stats.leased),
      faulted: slots.filter(({ runner }) => runner.state === 'faulted').length,
    },
    waiters: waiters.size,
    waitMs: waits.summary(),
    leases,
    posts,
    callsPerPost: posts === 0 ? 0 : calls / posts,
    containers: each,
  }
}

function containerStats({
  addr,
  state,
  slots,
  free,
  leased,
  inFlight,
  container,
}: PooledContainer): ContainerStats {
  return { addr, state, link: container.link, slots: slots.length, free: free.size, leased, inFlight }
}
