/** How many calls share a post on the floor server. No times. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { entries, run } from './contestants.ts'
import { type FloorServer, spawnFloorServer } from './floor-server.ts'

let floor: FloorServer
beforeAll(async () => {
  floor = await spawnFloorServer()
}, 60_000)
afterAll(() => floor[Symbol.asyncDispose]())

test.each([
  ['`execute`', 16],
  ['`execute`, extended server', 16],
  ['`execute`, `bash` of unknown duration', 6],
])(
  'with 64 calls in flight, a post of %s holds %d calls on average, or more',
  async (name, least) => {
    const entry = entries.find((each) => each.name === name)
    await using contestant = await entry?.make(floor.url, 64)
    if (contestant === undefined) throw new Error(`No contestant ${name}`)
    const before = await floor.counts()
    await run(contestant, 64, 2_560)
    const after = await floor.counts()
    expect(after.calls - before.calls).toBe(2_560)
    expect((after.calls - before.calls) / (after.posts - before.posts)).toBeGreaterThanOrEqual(least)
  },
  60_000,
)
