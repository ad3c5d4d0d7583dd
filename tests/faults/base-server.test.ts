/**
 * A base-level server behind a proxy that breaks connections at any byte of request and answer.
 * `tests/campaign/cuts-base.ts` takes every offset.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Direction, Fault } from '../support/fault-proxy.ts'
import { BaseGround } from './base-histories.ts'
import { cuts, longest, outcomesOf } from './extended-histories.ts'

const step = 53
let ground: BaseGround

beforeAll(async () => {
  ground = await BaseGround.start()
})
afterAll(() => ground[Symbol.asyncDispose]())

const messages: [Direction, number][] = [
  ['request', 900],
  ['response', 1_300],
]

describe.each([
  ['fresh sockets, one call', true, 1],
  ['reused sockets, one call', false, 1],
  ['reused sockets, a batch', false, 2],
] as const)('cuts, base server, %s (promises 3, 5, 7)', (_, fresh, calls) => {
  test.each(messages)(
    'in the %s: told truthfully, posted once',
    async (direction, bytes) => {
      const faults = cuts(['reset', 'close', 'stall'], direction, bytes, step)
      const histories = await ground.exhaust(faults, { fresh, calls })
      expect(ground.violations(histories)).toEqual([])
      const outcomes = outcomesOf(histories)
      expect(outcomes).toContain('exited')
      expect(outcomes).toContain('unknown')
      expect(longest(histories, direction)).toBeLessThan(bytes)
    },
    60_000,
  )
})

test('garbled and dripping answers are told as what they are', async () => {
  const faults: Fault[] = Array.from({ length: 8 }, (_, index) => ({
    kind: 'garble',
    in: 'response',
    at: index * 60,
  }))
  const histories = await ground.exhaust(faults, { fresh: true, calls: 2 })
  expect(ground.violations(histories)).toEqual([])
  const dripping = await ground.exhaust([{ kind: 'drip', in: 'response', at: 0 }], { fresh: true, calls: 2 })
  expect(dripping[0]?.results.map((result) => result.outcome)).toEqual(['exited', 'exited'])
}, 60_000)
