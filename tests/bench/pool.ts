/**
 * What a pool costs against the floor server: acquire and release per operation with few and with many slots and
 * waiters, start and stop, memory of an idle slot.
 *
 *     bun tests/bench/pool.ts [--rounds 5]
 */
import { parseArgs } from 'node:util'
import { type Lease, SlotPool, staticDiscovery } from '../../mod.ts'
import { spawnFloorServer } from './floor-server.ts'

/** The floor server says that it has 4,096 slots. */
const slotsPerServer = 2_500

export interface PoolCosts {
  /** Microseconds per acquire and release, with as many slots free as waiters come later. */
  readonly free: number
  /** Microseconds per operation where each waits for the release of another. */
  readonly contended: number
  readonly startMs: number
  readonly stopMs: number
  /** Bytes of the heap per idle slot. */
  readonly bytesPerSlot: number
}

/** A pool of `slots` slots on servers of the floor; `size` slots, then `size` waiters. */
export async function poolCosts(urls: readonly string[], size: number): Promise<PoolCosts> {
  const containers = Math.max(1, Math.ceil(size / slotsPerServer))
  const before = heapBytes()
  const startedAt = performance.now()
  const pool = await SlotPool.start({
    discovery: staticDiscovery(urls.slice(0, containers)),
    slotsPerContainer: Math.ceil(size / containers),
  })
  const startMs = performance.now() - startedAt
  const bytesPerSlot = (heapBytes() - before) / size
  const free = await freeMicros(pool, size)
  const contended = await contendedMicros(pool, size)
  const stoppingAt = performance.now()
  await pool.stop()
  return { free, contended, startMs, stopMs: performance.now() - stoppingAt, bytesPerSlot }
}

/** All slots are acquired one after the other, and released. As often as it takes for 20,000. */
async function freeMicros(pool: SlotPool, size: number): Promise<number> {
  const times = Math.ceil(20_000 / size)
  const startedAt = performance.now()
  for (let time = 0; time < times; time += 1) {
    const leases: Lease[] = []
    for (let index = 0; index < size; index += 1) leases.push(await pool.acquire())
    for (const lease of leases) await lease.release({ reset: false })
  }
  return ((performance.now() - startedAt) * 1000) / (times * size)
}

/** All slots are held, `size` wait; each release serves one, who releases in turn, until none waits. */
async function contendedMicros(pool: SlotPool, size: number): Promise<number> {
  const times = Math.ceil(20_000 / size)
  let totalMs = 0
  for (let time = 0; time < times; time += 1) {
    const held = await Promise.all(Array.from({ length: size }, () => pool.acquire()))
    const startedAt = performance.now()
    const waiting = Array.from({ length: size }, async () => {
      const lease = await pool.acquire()
      await lease.release({ reset: false })
    })
    await Promise.all(held.map((lease) => lease.release({ reset: false })))
    await Promise.all(waiting)
    totalMs += performance.now() - startedAt
  }
  return (totalMs * 1000) / (times * size)
}

function heapBytes(): number {
  Bun.gc(true)
  return process.memoryUsage().heapUsed
}

/** Fetches the median. */
export function medianOf(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
  await using servers = new AsyncDisposableStack()
  const urls: string[] = []
  for (let index = 0; index < 4; index += 1) urls.push(servers.use(await spawnFloorServer()).url)
  await poolCosts(urls, 1_000)
  const few: PoolCosts[] = []
  const many: PoolCosts[] = []
  for (let round = 0; round < Number(values.rounds); round += 1) {
    few.push(await poolCosts(urls, 100))
    many.push(await poolCosts(urls, 10_000))
  }
  for (const key of ['free', 'contended', 'startMs', 'stopMs', 'bytesPerSlot'] as const) {
    const [a, b] = [few, many].map((all) => medianOf(all.map((costs) => costs[key])))
    console.log(
      `${key.padEnd(14)} 100: ${a?.toFixed(2).padStart(10)}   10,000: ${b?.toFixed(2).padStart(10)}`,
    )
  }
}
