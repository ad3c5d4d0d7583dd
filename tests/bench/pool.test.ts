import { expect, test } from 'bun:test'
import { spawnFloorServer } from './floor-server.ts'
import { poolCosts } from './pool.ts'

test('the bench of the pool measures a small one', async () => {
  await using server = await spawnFloorServer()
  const costs = await poolCosts([server.url], 20)
  for (const value of [costs.free, costs.contended, costs.startMs, costs.stopMs])
    expect(value).toBeGreaterThan(0)
})
