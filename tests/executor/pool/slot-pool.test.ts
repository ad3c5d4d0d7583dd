import { describe, expect, test } from 'bun:test'
import { LeaseLostError } from '../../../src/executor/pool/lease.ts'
import type { PoolEvent } from '../../../src/executor/pool/pool-events.ts'
import type { SlotPoolOptions } from '../../../src/executor/pool/pool-options.ts'
import { SlotPool } from '../../../src/executor/pool/slot-pool.ts'
import type { DiscoveredContainer, DiscoveryListeners } from '../../../src/ports/discovery.ts'
import { refused, type Scripted, scripted, settled } from '../../support/scripted-container.ts'
import { the } from '../../support/the.ts'

/** A discovery that lists what the test says. */
function manual(first: readonly DiscoveredContainer[]) {
  let listeners: DiscoveryListeners | undefined
  return {
    watch: async (told: DiscoveryListeners, signal: AbortSignal) => {
      listeners = told
      told.onChange(first)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    },
    list: (containers: readonly DiscoveredContainer[]) => listeners?.onChange(containers),
  }
}

interface Started extends Scripted {
  readonly pool: SlotPool
  readonly discovery: ReturnType<typeof manual>
  readonly poolEvents: PoolEvent[]
}

async function start(addresses: string[], options: Partial<SlotPoolOptions> = {}): Promise<Started> {
  const script = scripted()
  script.health = () => Response.json({ status: 'ok', slots: 2 })
  script.automatic()
  const discovery = manual(addresses.map((addr) => ({ addr })))
  const poolEvents: PoolEvent[] = []
  const pool = await SlotPool.start({
    discovery,
    executor: script.executor,
    healthCheckMs: 1_000,
    onEvent: (event) => poolEvents.push(event),
    ...options,
  })
  const stop = async () => {
    await pool.stop({ graceMs: 0 })
    await script.executor.close({ graceMs: 0 })
  }
  return Object.assign(script, { pool, discovery, poolEvents, [Symbol.asyncDispose]: stop })
}

async function pass(script: Scripted, ms: number): Promise<void> {
  for (let elapsed = 0; elapsed < ms; elapsed += 250) {
    script.clock.increment(250)
    await settled()
  }
}

describe('leases (promise 11)', () => {
  test('come from the container with the most free slots', async () => {
    await using script = await start(['one:1', 'two:1', 'three:1'])
    const leases = [await script.pool.acquire(), await script.pool.acquire(), await script.pool.acquire()]
    expect(new Set(leases.map((lease) => lease.containerAddr)).size).toBe(3)
    expect(script.pool.stats().slots).toEqual({ total: 6, free: 3, leased: 3, faulted: 0 })
  })

  test('are exclusive, first come first served', async () => {
    await using script = await start(['one:1'])
    const [a, b] = [await script.pool.acquire(), await script.pool.acquire()]
    const order: string[] = []
    const noted = async (trajectoryId: string) => {
      const lease = await script.pool.acquire({ trajectoryId })
      order.push(trajectoryId)
      return lease
    }
    const third = noted('third')
    const fourth = noted('fourth')
    await settled()
    expect([order, script.pool.stats().waiters]).toEqual([[], 2])
    await b.release({ reset: false })
    await a.release({ reset: false })
    const leases = [await third, await fourth]
    expect(order).toEqual(['third', 'fourth'])
    expect(leases.map((lease) => lease.slotId)).toEqual([b.slotId, a.slotId])
    expect(leases.map((lease) => lease.generation)).toEqual([3, 4])
  })

  test('honour timeout, 0 included, and AbortSignal', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    await using _ = await script.pool.acquire()
    const failure = (running: Promise<unknown>) =>
      running.catch((reason: { failure?: string }) => reason.failure)
    expect(await failure(script.pool.acquire({ timeoutMs: 0 }))).toBe('timeout')
    expect(await failure(script.pool.acquire({ signal: AbortSignal.abort() }))).toBe('aborted')
    const controller = new AbortController()
    const timed = failure(script.pool.acquire({ timeoutMs: 500 }))
    const aborted = failure(script.pool.acquire({ signal: controller.signal }))
    await settled()
    controller.abort()
    expect(await aborted).toBe('aborted')
    script.clock.increment(600)
    expect(await timed).toBe('timeout')
    expect(script.pool.stats().waiters).toBe(0)
  })

  test('empty the slot before the next owner gets it, unless told not to', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    const first = await script.pool.acquire()
    await first.bash('x')
    await first.release()
    const second = await script.pool.acquire()
    await second.release({ reset: false })
    await script.pool.acquire()
    expect(script.posts.map((post) => post.route)).toEqual(['/execute', '/reset'])
  })

  test('a stale holder, a double release and a late result do nothing to the next owner', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    const stale = await script.pool.acquire({ trajectoryId: 'a' })
    await stale.release()
    const owner = await script.pool.acquire({ trajectoryId: 'b' })
    await stale.release()
    expect(await stale.bash('x').catch((reason: { code: string }) => reason.code)).toBe('lease')
    expect(stale.artifacts.list()).rejects.toThrow('released')
    expect(script.pool.stats().slots.leased).toBe(1)
    expect((await owner.bash('y')).success).toBe(true)
  })

  test('release waits for what runs and ends what waits', async () => {
    const script = scripted()
    script.health = () => Response.json({ status: 'ok', slots: 1 })
    await using pool = await SlotPool.start({
      discovery: manual([{ addr: 'one:1' }]),
      executor: script.executor,
    })
    const lease = await pool.acquire()
    const running = lease.bash('x')
    const waiting = lease.bash('y')
    await settled()
    const released = lease.release({ reset: false })
    expect(await waiting).toMatchObject({ outcome: 'not-run', failure: { code: 'closed' } })
    expect(pool.stats().slots.free).toBe(0)
    script.automatic()
    expect((await running).success).toBe(true)
    await released
    expect(pool.stats().slots.free).toBe(1)
  })

  test('a failed reset quarantines the slot; it is tried again later', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    const lease = await script.pool.acquire()
    script.posts.length = 0
    script.manual()
    const released = lease.release()
    await settled()
    the(script.posts[0]).answer(Response.json({ success: false, error: 'disk full' }))
    await released
    expect(script.pool.stats().slots).toEqual({ total: 1, free: 0, leased: 0, faulted: 1 })
    script.automatic()
    await pass(script, 1_500)
    expect(script.pool.stats().slots).toEqual({ total: 1, free: 1, leased: 0, faulted: 0 })
  })
})

describe('trajectories', () => {
  test('keep their slot until their end, and their calls run in order', async () => {
    await using script = await start(['one:1', 'two:1'])
    const results = await Promise.all([
      script.pool.run('t', 'bash', { command: '1' }, { executionId: 'a' }),
      script.pool.run('t', 'bash', { command: '2' }, { executionId: 'b' }),
      script.pool.run('u', 'bash', { command: '3' }, { executionId: 'c' }),
    ])
    expect(results[0].slotId + script.pool.stats().slots.leased).toBe(`${results[1].slotId}2`)
    const ids = script.posts.flatMap((post) => post.calls.map((call) => call.execution_id))
    expect(ids.indexOf('a')).toBeLessThan(ids.indexOf('b'))
    const lease = await script.pool.acquire({ trajectoryId: 't' })
    expect(lease.slotId).toBe(results[0].slotId)
    await script.pool.end('t')
    await script.pool.end('never-began')
    expect(script.pool.stats().slots.leased).toBe(1)
  })

  test('one that waits for a slot never blocks another (promise 12)', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    await script.pool.run('a', 'bash', { command: '1' })
    const waiting = script.pool.run('b', 'bash', { command: '2' })
    expect((await script.pool.run('a', 'bash', { command: '3' })).success).toBe(true)
    await script.pool.end('a')
    expect((await waiting).success).toBe(true)
  })

  test('without a slot in time the call is not-run; an aborted one leaves the queue', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1, acquireTimeoutMs: 500 })
    await script.pool.run('a', 'bash', { command: '1' })
    const controller = new AbortController()
    const late = script.pool.run('b', 'bash', { command: '2' })
    const aborted = script.pool.run('c', 'bash', { command: '3' }, { signal: controller.signal })
    await settled()
    controller.abort()
    expect(await aborted).toMatchObject({ outcome: 'not-run', failure: { code: 'aborted' } })
    await settled()
    expect(script.pool.stats().waiters).toBe(1)
    await pass(script, 750)
    expect(await late).toMatchObject({ outcome: 'not-run', failure: { code: 'deadline', attempts: 0 } })
  })
})

describe('health', () => {
  test('one failed look is a suspicion: nothing new is handed out, leases go on', async () => {
    await using script = await start(['one:1'])
    const lease = await script.pool.acquire()
    script.health = () => Promise.reject(refused())
    await pass(script, 1_250)
    expect(script.pool.stats().containers[0]).toMatchObject({ state: 'suspect', leased: 1 })
    expect(lease.signal.aborted).toBe(false)
    expect(script.pool.acquire({ timeoutMs: 0 })).rejects.toThrow('none was free')
    script.health = () => Response.json({ status: 'ok', slots: 2 })
    await pass(script, 1_500)
    expect(script.pool.stats().containers[0]?.state).toBe('healthy')
    expect((await lease.bash('x')).success).toBe(true)
  })

  test('a dead container: its calls settle truthfully, its leases are told, others go on', async () => {
    await using script = await start(['one:1', 'two:1'], { slotsPerContainer: 1 })
    const leases = [await script.pool.acquire(), await script.pool.acquire()]
    const doomed = the(leases.find((lease) => lease.containerAddr === 'http://one:1'))
    const other = the(leases.find((lease) => lease.containerAddr === 'http://two:1'))
    script.manual()
    const running = doomed.bash('x')
    const waiting = doomed.bash('y')
    await settled()
    script.health = (host) =>
      host === 'one:1' ? Promise.reject(refused()) : Response.json({ status: 'ok', slots: 1 })
    await pass(script, 4_500)
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'container-lost' } })
    expect(await waiting).toMatchObject({ outcome: 'not-run', failure: { code: 'container-lost' } })
    expect(doomed.signal.reason).toBeInstanceOf(LeaseLostError)
    expect(await doomed.bash('z')).toMatchObject({ outcome: 'not-run', failure: { code: 'container-lost' } })
    expect((await doomed.artifacts.list()).failure?.code).toBe('container-lost')
    await doomed.release()
    script.automatic()
    expect((await other.bash('x')).success).toBe(true)
    expect(script.pool.stats().slots).toEqual({ total: 1, free: 0, leased: 1, faulted: 0 })
  })

  test('a container that comes back is a new life: its slots are emptied first', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    const lease = await script.pool.acquire()
    script.health = () => Promise.reject(refused())
    await pass(script, 4_500)
    expect(lease.signal.aborted).toBe(true)
    script.posts.length = 0
    script.health = () => Response.json({ status: 'ok', slots: 1 })
    await pass(script, 2_500)
    const next = await script.pool.acquire()
    expect(script.posts.map((post) => post.route)).toEqual(['/reset'])
    await lease.release()
    expect((await next.bash('x')).success).toBe(true)
  })

  test('a container that is not listed any more drains: leases end in peace', async () => {
    await using script = await start(['one:1', 'two:1'])
    const leases = [await script.pool.acquire(), await script.pool.acquire()]
    const leaving = the(leases.find((lease) => lease.containerAddr === 'http://one:1'))
    script.discovery.list([{ addr: 'two:1' }])
    expect(script.pool.stats().containers.map(({ state }) => state)).toEqual(['draining', 'healthy'])
    expect((await leaving.bash('x')).success).toBe(true)
    await leaving.release()
    expect(script.pool.stats().containers.map(({ addr }) => addr)).toEqual(['http://two:1'])
  })

  test('a container that is new in the list joins', async () => {
    await using script = await start([])
    const waiting = script.pool.acquire()
    await settled()
    script.discovery.list([{ addr: 'one:1' }])
    expect((await waiting).containerAddr).toBe('http://one:1')
  })
})

describe('start and stop', () => {
  test('stop refuses who waits and ends leases', async () => {
    const script = await start(['one:1'], { slotsPerContainer: 1 })
    const lease = await script.pool.acquire()
    const waiting = script.pool.acquire().catch((reason: { failure: string }) => reason.failure)
    await settled()
    await script.pool.stop({ graceMs: 0 })
    expect(await waiting).toBe('stopped')
    expect([script.pool.stats().state, lease.signal.aborted]).toEqual(['stopped', true])
    expect(script.pool.acquire()).rejects.toThrow('the pool stops')
    await script.executor.close()
  })

  test('options are checked, and a discovery without a list is told', async () => {
    const { executor, clock } = scripted()
    const discovery = manual([])
    expect(SlotPool.start({ discovery, slots: 3 } as never)).rejects.toThrow('Unknown option slots')
    expect(SlotPool.start({ discovery, acquireTimeoutMs: -1 })).rejects.toThrow('acquireTimeoutMs')
    const silent = { watch: async ({ onTrouble }: DiscoveryListeners) => onTrouble({ message: 'no leader' }) }
    const starting = SlotPool.start({ discovery: silent, executor, acquireTimeoutMs: 500 })
    await settled()
    clock.increment(500)
    expect(starting).rejects.toThrow('Cannot start the pool within 500 ms: no leader')
    await starting.catch(() => {})
  })
})
