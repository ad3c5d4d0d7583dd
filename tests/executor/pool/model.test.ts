/** Random acquire, release, call, crash, return, reset failure, loss: no double owner, no lost slot, no lost waiter. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { SimulatedClock } from 'xstate'
import { createMemoryTransport, type Lease, SandboxExecutor, SlotPool } from '../../../mod.ts'
import type { DiscoveredContainer, DiscoveryListeners } from '../../../src/ports/discovery.ts'
import { settled } from '../../support/scripted-container.ts'

const hosts = ['a:1', 'b:1', 'c:1']
const slotsEach = 3
const steps = Number(process.env.POOL_STEPS ?? 10_000)

const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ kind: 'acquire' } as const) },
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('release' as const), at: fc.nat(), reset: fc.boolean() }),
  },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('call' as const), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('reset' as const), at: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('failResets' as const), count: fc.nat({ max: 2 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('toggle' as const), host: fc.constantFrom(...hosts) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('unlist' as const), host: fc.constantFrom(...hosts) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 100, max: 3_000 }) }),
  },
)

/** In parts: one sample of 10,000 of these never ends in fast-check 4.10. */
function* sampled(): Generator<typeof step extends fc.Arbitrary<infer T> ? T : never> {
  const part = 500
  for (let at = 0; at < steps; at += part)
    yield* fc.sample(step, { numRuns: Math.min(part, steps - at), seed: at + 1 })
}

/** Containers in memory, and what they see: the witness. */
class World {
  readonly down = new Set<string>()
  readonly unlisted = new Set<string>()
  failingResets = 0
  readonly violations: string[] = []
  /** The newest owner that each slot has seen. */
  readonly #newest = new Map<string, number>()
  listeners: DiscoveryListeners | undefined

  async handle(request: Request): Promise<Response> {
    const { host, pathname } = new URL(request.url)
    await Promise.resolve()
    if (this.down.has(host)) throw Object.assign(new Error('reset'), { code: 'ECONNRESET' })
    if (request.method === 'GET') return Response.json({ status: 'ok', slots: slotsEach })
    const body = (await request.json()) as { slot_id: string; execution_id?: string }[] | { slot_id: string }
    if (pathname === '/reset')
      return Response.json({ success: this.failingResets-- <= 0, error: 'disk full' })
    const items = Array.isArray(body) ? body : [body as { slot_id: string; execution_id?: string }]
    const answers = items.map((item) => this.#ran(host, item.slot_id, item.execution_id ?? ''))
    return Response.json(Array.isArray(body) ? answers : answers[0])
  }

  #ran(host: string, slotId: string, executionId: string): object {
    const generation = Number(executionId.split(':')[0])
    const key = `${host}/${slotId}`
    const newest = this.#newest.get(key) ?? 0
    if (generation < newest) this.violations.push(`${key}: owner ${generation} ran after owner ${newest}`)
    this.#newest.set(key, Math.max(newest, generation))
    return { success: true, output: executionId, execution_id: executionId }
  }

  listed(): DiscoveredContainer[] {
    return hosts.filter((host) => !this.unlisted.has(host)).map((addr) => ({ addr }))
  }

  watch = async (listeners: DiscoveryListeners): Promise<void> => {
    this.listeners = listeners
    listeners.onChange(this.listed())
  }
}

test(`${steps} random steps (promise 11)`, async () => {
  const world = new World()
  const clock = new SimulatedClock()
  const transport = createMemoryTransport((request) => world.handle(request))
  const executor = new SandboxExecutor({ transport, retry: { delayMs: 100 } }, { clock, random: () => 0.5 })
  const owners = new Map<string, number>()
  const pool = await SlotPool.start({
    discovery: world,
    executor,
    healthCheckMs: 1_000,
    acquireTimeoutMs: 20_000,
    onEvent: (event) => {
      if (!event.type.startsWith('lease.') || !('generation' in event)) return
      const key = `${event.container}/${event.slotId}`
      const owner = owners.get(key)
      if (event.type === 'lease.acquired') {
        if (owner !== undefined)
          world.violations.push(`${key}: leased to ${event.generation}, held by ${owner}`)
        owners.set(key, event.generation)
      } else if (owner === event.generation) owners.delete(key)
    },
  })
  const leases: Lease[] = []
  let [asked, served, refused] = [0, 0, 0]
  const results: Promise<unknown>[] = []
  for (const each of sampled()) {
    const lease = 'at' in each && leases.length > 0 ? leases[each.at % leases.length] : undefined
    if (each.kind === 'acquire') {
      asked += 1
      void pool.acquire().then(
        (got) => {
          served += 1
          leases.push(got)
        },
        () => {
          refused += 1
        },
      )
    } else if (each.kind === 'release' && lease !== undefined) {
      void lease.release({ reset: each.reset })
      // Half of the holders forget that they have released.
      if (each.at % 2 === 0) leases.splice(leases.indexOf(lease), 1)
    } else if (each.kind === 'call' && lease !== undefined) {
      const executionId = `${lease.generation}:${crypto.randomUUID()}`
      results.push(
        lease.bash('x', { executionId, timeoutMs: 1_000 }).catch((reason: { code: string }) => reason.code),
      )
    } else if (each.kind === 'reset' && lease !== undefined) {
      void lease.reset().catch(() => {})
    } else if (each.kind === 'failResets') world.failingResets = each.count
    else if (each.kind === 'toggle') {
      if (!world.down.delete(each.host)) world.down.add(each.host)
    } else if (each.kind === 'unlist') {
      if (!world.unlisted.delete(each.host)) world.unlisted.add(each.host)
      world.listeners?.onChange(world.listed())
    } else if (each.kind === 'pass') clock.increment(each.ms)
    await settled()
  }
  world.down.clear()
  world.unlisted.clear()
  world.failingResets = 0
  world.listeners?.onChange(world.listed())
  for (let turn = 0; turn < 200; turn += 1) {
    for (const lease of leases.splice(0)) void lease.release()
    clock.increment(500)
    await settled()
  }
  expect(world.violations).toEqual([])
  expect([served + refused, pool.stats().waiters]).toEqual([asked, 0])
  const total = hosts.length * slotsEach
  expect(pool.stats().slots).toEqual({ total, free: total, leased: 0, faulted: 0 })
  for (const result of await Promise.all(results)) {
    if (typeof result === 'object')
      expect(['exited', 'not-run', 'unknown']).toContain((result as { outcome: string }).outcome)
    else expect(result).toBe('lease')
  }
  expect(served).toBeGreaterThan(steps / 50)
  await pool.stop({ graceMs: 0 })
  await executor.close({ graceMs: 0 })
}, 300_000)
