import { describe, expect, test } from 'bun:test'
import { settled } from '../../support/scripted-container.ts'
import { the } from '../../support/the.ts'
import { pass, start } from './support.ts'

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

  test('each call has its own time to wait for the slot', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1, acquireTimeoutMs: 1_000 })
    await script.pool.run('a', 'bash', { command: '1' })
    const early = script.pool.run('b', 'bash', { command: '2' })
    await pass(script, 750)
    const late = script.pool.run('b', 'bash', { command: '3' })
    await pass(script, 500)
    expect(await early).toMatchObject({ outcome: 'not-run', failure: { code: 'deadline' } })
    await script.pool.end('a')
    expect((await late).success).toBe(true)
  })

  test('when no call waits any more the place in the queue is given up', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1, acquireTimeoutMs: 500 })
    await script.pool.run('a', 'bash', { command: '1' })
    const late = script.pool.run('b', 'bash', { command: '2' })
    await pass(script, 750)
    expect((await late).outcome).toBe('not-run')
    expect(script.pool.stats().waiters).toBe(0)
    await script.pool.end('a')
    expect(script.pool.stats().slots).toMatchObject({ free: 1, leased: 0 })
    expect((await script.pool.run('b', 'bash', { command: '3' })).success).toBe(true)
  })

  test('one that was ended begins anew, in an empty slot, even before its end is over', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    await script.pool.run('t', 'bash', { command: '1' })
    const ended = script.pool.end('t')
    const again = script.pool.run('t', 'bash', { command: '2' })
    await ended
    expect((await again).success).toBe(true)
    expect(script.posts.map(({ route }) => route)).toEqual(['/execute', '/reset', '/execute'])
    expect(script.pool.stats().slots.leased).toBe(1)
  })

  test('end refuses the calls that wait for a slot', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    await script.pool.run('a', 'bash', { command: '1' })
    const waiting = script.pool.run('b', 'bash', { command: '2' })
    await settled()
    await script.pool.end('b')
    expect(await waiting).toMatchObject({ outcome: 'not-run', failure: { code: 'aborted' } })
    await script.pool.end('a')
    expect(script.pool.stats().slots).toMatchObject({ free: 1, leased: 0 })
  })

  test('have one slot, however often it is asked for', async () => {
    await using script = await start(['one:1'])
    const [a, b] = [await script.pool.acquire(), await script.pool.acquire()]
    const first = script.pool.acquire({ trajectoryId: 't' })
    const between = script.pool.acquire()
    const second = script.pool.acquire({ trajectoryId: 't' })
    const call = script.pool.run('t', 'bash', { command: '1' })
    await settled()
    await a.release()
    const lease = await first
    expect(await second).toBe(lease)
    expect((await call).slotId).toBe(lease.slotId)
    await b.release()
    await (await between).release()
    expect(script.pool.stats().slots.leased).toBe(1)
    await script.pool.end('t')
    expect(script.pool.stats().slots.leased).toBe(0)
  })

  test('a slot that its holder has released is no place for calls: they are not run', async () => {
    await using script = await start(['one:1'])
    await script.pool.run('t', 'bash', { command: '1' })
    const lease = await script.pool.acquire({ trajectoryId: 't' })
    await lease.release()
    expect(await script.pool.run('t', 'bash', { command: '2' })).toMatchObject({
      outcome: 'not-run',
      failure: { code: 'closed' },
    })
    await script.pool.end('t')
    expect((await script.pool.run('t', 'bash', { command: '3' })).success).toBe(true)
  })

  test('waiting for the slot and behind its other calls is one wait, and queueTimeoutMs limits it', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 }, { queueTimeoutMs: 1_000 })
    await script.pool.run('a', 'bash', { command: '1' })
    const [first, second] = ['2', '3'].map((command) => script.pool.run('b', 'bash', { command }))
    await pass(script, 750)
    await script.pool.end('a')
    script.manual()
    await settled()
    await pass(script, 500)
    expect(await the(second)).toMatchObject({ outcome: 'not-run', failure: { code: 'deadline' } })
    script.automatic()
    const { success, timing } = await the(first)
    expect([success, Math.round(timing.queuedMs), Math.round(timing.totalMs)]).toEqual([true, 750, 1_250])
  })
})
