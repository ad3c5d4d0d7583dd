import { describe, expect, spyOn, test } from 'bun:test'
import { SandboxUsageError } from '../../../src/errors.ts'
import { SlotPool } from '../../../src/executor/pool/slot-pool.ts'
import type { DiscoveryListeners } from '../../../src/ports/discovery.ts'
import { scripted, settled } from '../../support/scripted-container.ts'
import { the } from '../../support/the.ts'
import { manual, pass, start } from './support.ts'

describe('leases (promise 11)', () => {
  test('come from the container with the most free slots', async () => {
    await using script = await start(['one:1', 'two:1', 'three:1'])
    const leases = [await script.pool.acquire(), await script.pool.acquire(), await script.pool.acquire()]
    expect(new Set(leases.map((lease) => lease.containerAddr)).size).toBe(3)
    expect(script.pool.stats().slots).toEqual({ total: 6, free: 3, leased: 3, resetting: 0, faulted: 0 })
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
    expect(script.pool.stats().slots).toEqual({ total: 1, free: 0, leased: 0, resetting: 0, faulted: 1 })
    script.automatic()
    await pass(script, 1_500)
    expect(script.pool.stats().slots).toEqual({ total: 1, free: 1, leased: 0, resetting: 0, faulted: 0 })
  })
  test('a slot that its holder mended and used again is emptied before the next owner gets it', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    const lease = await script.pool.acquire()
    script.posts.length = 0
    script.manual()
    const failed = lease.reset()
    await settled()
    the(script.posts[0]).answer(Response.json({ success: false, error: 'disk full' }))
    expect((await failed).success).toBe(false)
    script.automatic()
    expect((await lease.reset()).success).toBe(true)
    expect((await lease.bash('echo secret > file')).success).toBe(true)
    const next = script.pool.acquire()
    await lease.release({ reset: true })
    await next
    expect(script.posts.map(({ route }) => route)).toEqual(['/reset', '/reset', '/execute', '/reset'])
    expect(script.executor.pending).toBe(0)
  })

  test('a slot that is released while its holder resets it a second time is not lost', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    const lease = await script.pool.acquire()
    script.manual()
    const failed = lease.reset()
    await settled()
    the(script.posts[0]).answer(Response.json({ success: false, error: 'disk full' }))
    expect((await failed).success).toBe(false)
    const again = lease.reset()
    await settled()
    const released = lease.release()
    script.automatic()
    the(script.posts[1]).succeed()
    expect((await again).success).toBe(true)
    await released
    expect(script.pool.stats().slots).toMatchObject({ total: 1, free: 1 })
  })
})

test('misuse is told as such, and before a slot is waited for', async () => {
  await using script = await start(['one:1'], { slotsPerContainer: 1 })
  const { pool } = script
  const lease = await pool.acquire()
  const misuse: [Promise<unknown>, string][] = [
    [pool.executeBatch(null as never), 'items must be an array'],
    [pool.executeBatch([null] as never), 'item 0 of executeBatch: it must be [lease, tool, args]'],
    [pool.executeBatch([['a lease', 'bash', {}]] as never), 'Cannot use this lease'],
    [pool.run('a', 'bash', { command: 'x' }, null as never), 'Cannot use null as call options'],
    [pool.run('a', 'bash', {} as never), 'args.command is missing'],
    [pool.run('a', '', {}), 'Cannot use "" as tool'],
    [lease.bash('x', null as never), 'Cannot use null as bash options: it must be an object'],
    [lease.readFile('x', null as never), 'Cannot use null as call options: it must be an object'],
    [lease.terminal.capture(null as never), 'Cannot use null as terminal options: it must be an object'],
  ]
  for (const [promise, sentence] of misuse) {
    const thrown = await promise.catch((reason: unknown) => reason)
    expect(thrown).toBeInstanceOf(SandboxUsageError)
    expect(String(thrown)).toContain(sentence)
  }
  expect([pool.stats().waiters, script.posts.length]).toEqual([0, 0])
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
    const starting = SlotPool.start({ discovery: silent, executor, acquireTimeoutMs: 0 })
    await settled()
    clock.increment(60_000)
    expect(starting).rejects.toThrow(
      'Cannot start the pool: no list of containers within 60000 ms; last: no leader',
    )
    await starting.catch(() => {})
  })

  test('a listener that throws stops nothing; its error is reported', async () => {
    await using script = await start(['one:1'], {
      onEvent: ({ type }) => {
        if (type === 'lease.acquired') throw new Error('mine')
      },
    })
    const reports: (() => void)[] = []
    const spy = spyOn(globalThis, 'queueMicrotask').mockImplementation((task) => void reports.push(task))
    await using lease = await script.pool.acquire()
    spy.mockRestore()
    expect((await lease.bash('x')).success).toBe(true)
    expect(reports).toHaveLength(1)
    expect(the(reports[0])).toThrow('mine')
  })

  test('nothing is looked at after the stop, not even what a look under way found', async () => {
    const script = await start(['one:1'])
    const { promise, resolve } = Promise.withResolvers<Response>()
    script.health = () => promise
    await pass(script, 1_250)
    await script.pool.stop()
    resolve(Response.json({ status: 'ok', slots: 2 }))
    const looks = script.healthChecks
    await pass(script, 5_000)
    expect(script.healthChecks).toBe(looks)
    await script.executor.close()
  })

  test('a lease can be released when its executor is closed already', async () => {
    await using script = await start(['one:1'])
    const lease = await script.pool.acquire()
    await script.executor.close()
    await lease.release()
    expect(script.pool.stats().slots.leased).toBe(0)
  })
})
