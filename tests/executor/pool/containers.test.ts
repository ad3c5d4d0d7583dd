import { describe, expect, test } from 'bun:test'
import type { InspectionEvent } from 'xstate'
import { createMemoryTransport, SandboxExecutor, SlotPool } from '../../../mod.ts'
import { LeaseLostError } from '../../../src/executor/pool/lease.ts'
import { refused, settled } from '../../support/scripted-container.ts'
import { the } from '../../support/the.ts'
import { manual, pass, start } from './support.ts'

describe('who gets no slot is told', () => {
  test('how many there are', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    await script.pool.acquire()
    expect(script.pool.acquire({ timeoutMs: 0 })).rejects.toThrow('0 others wait; 1 slot in 1 container)')
  })

  test('why a container has none: it does not answer, or does not say how many, as without its token', async () => {
    await using script = await start([])
    script.health = (host) => (host === 'one:1' ? Promise.reject(refused()) : Response.json({ status: 'ok' }))
    script.discovery.list([{ addr: 'one:1' }, { addr: 'two:1' }])
    await pass(script, 250)
    const refusal = script.pool.acquire({ timeoutMs: 0 })
    expect(refusal).rejects.toThrow(
      '0 slots in 2 containers; http://one:1: a look at its health brought no answer',
    )
    expect(refusal).rejects.toThrow('; http://two:1: its health does not say how many slots it has')
    const call = script.pool.run('a', 'bash', { command: 'x' }, { signal: AbortSignal.abort() })
    expect((await call).error).toContain('0 others wait; 0 slots in 2 containers')
    const late = script.pool.run('b', 'bash', { command: 'x' })
    await pass(script, 60_500)
    expect((await late).error).toContain(' ms, 0 others wait; 0 slots in 2 containers')
    script.health = () => Response.json({ status: 'ok', slots: 2 })
    await pass(script, 5_000)
    expect(script.pool.stats().slots.total).toBe(4)
    expect(
      script.pool.run('a', 'bash', { command: 'x' }, { signal: AbortSignal.abort() }),
    ).resolves.toMatchObject({
      error:
        'Cannot acquire a slot: the caller gave up (waited 0 ms, 0 others wait; 4 slots in 2 containers)',
    })
  })
})

describe('health', () => {
  test('one failed look is a suspicion: nothing new is handed out, leases go on', async () => {
    await using script = await start(['one:1'])
    const lease = await script.pool.acquire()
    script.health = () => Promise.reject(refused())
    await pass(script, 1_250)
    expect(script.pool.stats().containers[0]).toMatchObject({ state: 'suspect', slots: { leased: 1 } })
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
    expect(script.pool.stats().slots).toEqual({ total: 1, free: 0, leased: 1, resetting: 0, faulted: 0 })
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

  test('a lost link is a reason to look at once', async () => {
    await using script = await start(['one:1'], { healthCheckMs: 60_000 })
    const lease = await script.pool.acquire()
    script.manual()
    script.health = () => Promise.reject(refused())
    const call = lease.bash('x')
    await settled()
    the(script.posts[0]).fail(refused())
    await settled()
    expect(script.pool.stats().containers[0]?.state).toBe('suspect')
    await pass(script, 10_000)
    expect([script.pool.stats().containers[0]?.state, lease.signal.aborted]).toEqual(['lost', true])
    expect((await call).outcome).toBe('not-run')
  })

  test('one that says it is not well is used no further, and is not dead', async () => {
    await using script = await start(['one:1'])
    const lease = await script.pool.acquire()
    script.health = () => Response.json({ status: 'draining', slots: 2 }, { status: 503 })
    await pass(script, 60_000)
    expect(script.pool.stats().containers[0]?.state).toBe('suspect')
    expect(lease.signal.aborted).toBe(false)
    expect(script.pool.acquire({ timeoutMs: 0 })).rejects.toThrow('none was free')
  })

  test.each(['ledger', 'data_dir'])('one with another %s is another one', async (identity) => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    const health = (value: string) => () => Response.json({ status: 'ok', slots: 1, [identity]: value })
    script.health = health('a')
    // The first look did not tell; a life begins with what it says.
    script.discovery.list([])
    script.discovery.list([{ addr: 'one:1' }])
    await pass(script, 1_500)
    const lease = await script.pool.acquire()
    await pass(script, 3_000)
    expect(lease.signal.aborted).toBe(false)
    script.posts.length = 0
    script.health = health('b')
    await pass(script, 3_000)
    expect(lease.signal.reason).toHaveProperty(
      'message',
      'The lease of slot slot_0 at http://one:1 is lost: it was started anew, with other workspaces',
    )
    await script.pool.acquire()
    expect(script.posts.map(({ route }) => route)).toEqual(['/reset'])
  })

  test('one that was lost, left the list and came back is emptied all the same', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 1 })
    await script.pool.acquire()
    script.health = () => Promise.reject(refused())
    await pass(script, 4_500)
    script.discovery.list([])
    expect(script.pool.stats().containers).toEqual([])
    script.health = () => Response.json({ status: 'ok', slots: 1 })
    script.posts.length = 0
    script.discovery.list([{ addr: 'one:1' }])
    await script.pool.acquire()
    expect(script.posts.map(({ route }) => route)).toEqual(['/reset'])
  })

  test('one that is listed and does not answer yet is awaited, and looked at soon', async () => {
    await using script = await start([], { healthCheckMs: 60_000 })
    script.health = () => Promise.reject(refused())
    script.discovery.list([{ addr: 'one:1' }])
    await pass(script, 8_000)
    expect(script.pool.stats().containers[0]?.state).toBe('joining')
    script.health = () => Response.json({ status: 'ok', slots: 2 })
    await pass(script, 5_000)
    expect(script.pool.stats().slots).toMatchObject({ total: 2, free: 2 })
    expect(script.posts).toEqual([])
  })

  test('one that is listed again after it drained is used again', async () => {
    await using script = await start(['one:1'])
    script.discovery.list([{ addr: 'one:1', draining: true }])
    expect(script.pool.acquire({ timeoutMs: 0 })).rejects.toThrow('none was free')
    script.discovery.list([{ addr: 'one:1' }])
    expect((await script.pool.acquire()).containerAddr).toBe('http://one:1')
  })

  test('no more slots are used than it has', async () => {
    await using script = await start(['one:1'], { slotsPerContainer: 8 })
    expect(script.pool.stats().slots.total).toBe(2)
  })

  test('slots on their way back are neither free nor leased', async () => {
    await using script = await start(['one:1'])
    const lease = await script.pool.acquire()
    script.manual()
    const released = lease.release()
    await settled()
    const counts = { total: 2, free: 1, leased: 0, resetting: 1, faulted: 0 }
    expect(script.pool.stats().slots).toEqual(counts)
    script.automatic()
    await released
    expect(script.pool.stats().slots).toEqual({ ...counts, free: 2, resetting: 0 })
  })

  test('one that answers calls is not dead, however long it does not say how it is', async () => {
    await using script = await start(['one:1'])
    const lease = await script.pool.acquire()
    script.health = () => new Promise<never>(() => {})
    script.manual()
    for (let round = 0; round < 10; round += 1) {
      const call = lease.bash('x')
      await pass(script, 5_000)
      the(script.posts[round]).succeed()
      expect((await call).success).toBe(true)
    }
    expect([script.pool.stats().containers[0]?.state, lease.signal.aborted]).toEqual(['suspect', false])
    await pass(script, 30_000)
    expect(lease.signal.aborted).toBe(true)
  })
})

describe('a container that the discovery does not list any more', () => {
  const joinTwice = async (isOwn: boolean) => {
    const made: string[] = []
    const inspect = ({ type, actorRef }: InspectionEvent) => {
      if (type === '@xstate.actor') made.push(String(Reflect.get(actorRef, 'id')))
    }
    const transport = createMemoryTransport(async ({ method }) =>
      Response.json(
        method === 'GET' ? { status: 'ok', slots: 1 } : { success: true, output: '', execution_id: null },
      ),
    )
    const discovery = manual([{ addr: 'one:1' }])
    const executor = new SandboxExecutor({ transport, inspect })
    const pool = await SlotPool.start({ discovery, executor: isOwn ? { transport, inspect } : executor })
    for (let life = 0; life < 2; life += 1) {
      discovery.list([{ addr: 'one:1' }])
      await using lease = await pool.acquire()
      expect((await lease.bash('x')).success).toBe(true)
      discovery.list([])
    }
    await pool.stop()
    await executor.close()
    return made.filter((id) => id === 'http://one:1/slot_0').length
  }

  test('is forgotten, and made anew when it comes back', async () => {
    expect(await joinTwice(true)).toBe(2)
  })

  test('is kept where its slots may be in other hands', async () => {
    expect(await joinTwice(false)).toBe(1)
  })
})
