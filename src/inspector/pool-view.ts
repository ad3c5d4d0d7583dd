/** Floor 3: a pool as it tells of itself: its containers, leases, and who waits. The same fold runs here and in the page. Browser compatible. */
import * as v from 'valibot'

/** One thing that a pool told, as far as it is shown. */
export interface PoolNews {
  readonly type: string
  readonly container?: string
  /** What its container is now. */
  readonly to?: string
  readonly slots?: number
  /** How many wait now. */
  readonly waiters?: number
  /** How long one has waited, whether it got a slot or not. */
  readonly waitedMs?: number
}

/** A container of a pool. */
export interface PoolContainer {
  readonly addr: string
  readonly state: string
  /** When it came to be so. */
  readonly since: number
  readonly slots: number
  readonly leases: number
}

/** A pool. */
export interface PoolView {
  readonly actor: number
  readonly containers: readonly PoolContainer[]
  readonly waiters: number
  /** When those who wait have come, the first one first. */
  readonly waitingSince: readonly number[]
  /** How long the last ones have waited for their leases. */
  readonly waits: readonly number[]
}

const keptWaits = 100

const number = v.pipe(v.number(), v.finite())
const optionalText = v.exactOptional(v.string())
const optionalNumber = v.exactOptional(number)

export const poolNews = v.object({
  type: v.string(),
  container: optionalText,
  to: optionalText,
  slots: optionalNumber,
  waiters: optionalNumber,
  waitedMs: optionalNumber,
})

export const poolView = v.object({
  actor: v.number(),
  containers: v.array(
    v.object({ addr: v.string(), state: v.string(), since: number, slots: number, leases: number }),
  ),
  waiters: number,
  waitingSince: v.array(number),
  waits: v.array(number),
})

/** The part of an event's `told` that is shown: no sentence, so nothing that could be secret. */
export function newsOf(told: object): PoolNews {
  const fields = Object.entries(told).filter(([key]) => key in poolNews.entries)
  return v.parse(poolNews, Object.fromEntries(fields))
}

export function newPool(actor: number): PoolView {
  return { actor, containers: [], waiters: 0, waitingSince: [], waits: [] }
}

/** The pool after what it told at `ms`. */
export function afterNews(pool: PoolView, news: PoolNews, ms: number): PoolView {
  const { waiters = pool.waiters } = news
  const next = { ...pool, waiters, waitingSince: waitingAfter(pool, news, ms) }
  switch (news.type) {
    case 'container.changed':
      return { ...next, containers: changed(pool.containers, news, ms) }
    case 'container.left':
      return { ...next, containers: pool.containers.filter(({ addr }) => addr !== news.container) }
    case 'lease.acquired':
      return {
        ...next,
        waits: [...pool.waits, news.waitedMs ?? 0].slice(-keptWaits),
        containers: leased(pool.containers, news, 1),
      }
    case 'lease.released':
    case 'lease.lost':
      return { ...next, containers: leased(pool.containers, news, -1) }
    default:
      return next
  }
}

/** One has come, or the one that has waited so long has left. */
function waitingAfter(pool: PoolView, { waiters = pool.waiters, waitedMs = 0 }: PoolNews, ms: number) {
  if (waiters > pool.waiters) return [...pool.waitingSince, ms]
  if (waiters === pool.waiters) return pool.waitingSince
  const away = (since: number) => Math.abs(since - (ms - waitedMs))
  const [first = 0] = pool.waitingSince
  let nearest = 0
  for (const [index, since] of pool.waitingSince.entries())
    if (away(since) < away(pool.waitingSince[nearest] ?? first)) nearest = index
  return pool.waitingSince.toSpliced(nearest, 1)
}

function changed(
  containers: readonly PoolContainer[],
  { container: addr = '', to: state = '', slots = 0 }: PoolNews,
  since: number,
): PoolContainer[] {
  const known = containers.find((each) => each.addr === addr)
  const changedOne = { addr, state, since, slots, leases: known?.leases ?? 0 }
  if (known === undefined) return [...containers, changedOne]
  return containers.map((each) => (each === known ? changedOne : each))
}

function leased(containers: readonly PoolContainer[], { container }: PoolNews, by: number): PoolContainer[] {
  return containers.map((each) =>
    each.addr === container ? { ...each, leases: Math.max(0, each.leases + by) } : each,
  )
}
