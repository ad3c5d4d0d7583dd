import { describe, expect, test } from 'bun:test'
import { Spread } from '../../src/cli/job/spread.ts'

const trajectories = (...ids: string[]) => ids.map((id) => ({ id, calls: [] }))
const slotsOf = (containerAddr: string, count: number) =>
  Array.from({ length: count }, (_, index) => ({ containerAddr, slotId: `slot_${index}` }))

describe('spreading', () => {
  test('takes a slot of the container that has more free ones', () => {
    const spread = new Spread(trajectories('a', 'b', 'c', 'd'), [...slotsOf('x', 1), ...slotsOf('y', 3)])
    const taken = Array.from({ length: 4 }, () => spread.take()?.slot.containerAddr)
    expect(taken).toEqual(['y', 'y', 'x', 'y'])
  })

  test('hands out nothing while no slot is free, and goes on with the next trajectory then', () => {
    const spread = new Spread(trajectories('a', 'b'), slotsOf('x', 1))
    const first = spread.take()
    expect(spread.take()).toBeUndefined()
    if (first !== undefined) spread.giveBack(first.slot)
    expect(spread.take()?.trajectory.id).toBe('b')
    expect(spread.take()).toBeUndefined()
  })

  test('gives a trajectory whose slot left to the next slot, before the others', () => {
    const spread = new Spread(trajectories('a', 'b', 'c'), slotsOf('x', 2))
    const lost = spread.take()
    if (lost !== undefined) spread.putBack(lost.trajectory)
    expect(spread.take()?.trajectory.id).toBe('a')
    expect(spread.take()).toBeUndefined()
    expect(spread.takeWaiting().map(({ id }) => id)).toEqual(['b', 'c'])
  })
})
