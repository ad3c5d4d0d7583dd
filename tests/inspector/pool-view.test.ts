import { describe, expect, test } from 'bun:test'
import { SlotPool, staticDiscovery } from '../../mod.ts'
import { executorWith, presentOf, recorderWith } from './support.ts'

describe('a pool that is recorded', () => {
  test('tells its containers, its leases and who waits', async () => {
    const recorder = recorderWith()
    await using executor = executorWith(recorder.inspect)
    await using pool = await SlotPool.start({
      executor,
      discovery: staticDiscovery(['a:1', 'b:1']),
      slotsPerContainer: 1,
    })
    const view = () => [...presentOf(recorder.history).pools.values()][0]
    const [a] = [await pool.acquire(), await pool.acquire()]
    const waiting = pool.acquire()
    const refused = pool.acquire({ timeoutMs: 50 }).catch(() => 'refused')
    await Bun.sleep(0)
    expect(view()).toMatchObject({ waiters: 2, waitingSince: [expect.any(Number), expect.any(Number)] })
    expect(await refused).toBe('refused')
    expect(view()).toMatchObject({ waiters: 1, waitingSince: [expect.any(Number)] })
    await a.release()
    await waiting
    const present = view()
    expect(present).toMatchObject({ waiters: 0, waitingSince: [] })
    expect(present?.waits).toHaveLength(3)
    expect(present?.containers).toMatchObject([
      { addr: 'http://a:1', state: 'healthy', slots: 1, leases: 1 },
      { addr: 'http://b:1', state: 'healthy', slots: 1, leases: 1 },
    ])
  })
})
