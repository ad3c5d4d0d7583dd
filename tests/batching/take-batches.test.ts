import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Lane, laneOf, ownLane } from '../../src/batching/lanes.ts'
import { type Batchable, halve, takeBatches } from '../../src/batching/take-batches.ts'

const limits = { maxCalls: 4, maxBytes: 100 }
const lane = ownLane('one')
const call = (bytes: number, of: Lane = lane): Batchable => ({ bytes, lane: of })

describe('takeBatches', () => {
  test('takes nothing from nothing', () => {
    expect(takeBatches([], limits)).toEqual([])
  })

  test('closes a batch at the limit of calls', () => {
    const calls = Array.from({ length: 9 }, () => call(1))
    expect(takeBatches(calls, limits).map((batch) => batch.length)).toEqual([4, 4, 1])
  })

  test('counts brackets and commas into the bytes of a body', () => {
    expect(takeBatches([call(48), call(48)], limits)).toHaveLength(1)
    expect(takeBatches([call(49), call(48)], limits)).toHaveLength(2)
  })

  test('lets a call that is larger than the limit go alone', () => {
    expect(takeBatches([call(1), call(500), call(1)], limits).map((batch) => batch.length)).toEqual([1, 1, 1])
  })

  test('keeps lanes apart, each with its own limit', () => {
    const narrow: Lane = { name: 'narrow', maxCalls: 1 }
    const batches = takeBatches([call(1), call(2, narrow), call(3), call(4, narrow)], limits)
    expect(batches.map((batch) => batch.map(({ bytes }) => bytes))).toEqual([[1, 3], [2], [4]])
  })

  test('puts every call into exactly one post that keeps every limit', () => {
    const lanes = [lane, ownLane('two'), { name: 'narrow', maxCalls: 2 }]
    const calls = fc.array(
      fc.record({ bytes: fc.integer({ min: 1, max: 150 }), lane: fc.constantFrom(...lanes) }),
    )
    fc.assert(
      fc.property(calls, (given) => {
        const batches = takeBatches(given, limits)
        expect(new Set(batches.flat())).toEqual(new Set(given))
        expect(batches.flat()).toHaveLength(given.length)
        for (const batch of batches) {
          const [first] = batch
          expect(batch.every((each) => each.lane === first?.lane)).toBe(true)
          expect(batch.length).toBeLessThanOrEqual(Math.min(limits.maxCalls, first?.lane.maxCalls ?? 0))
          const bytes = batch.reduce((sum, each) => sum + each.bytes, batch.length + 1)
          if (batch.length > 1) expect(bytes).toBeLessThanOrEqual(limits.maxBytes)
        }
      }),
    )
  })
})

test('halve gives two halves of what was too large', () => {
  expect(halve([1, 2, 3])).toEqual([[1, 2], [3]])
})

describe('laneOf', () => {
  const laneFor = laneOf

  test('lets writes wait with any number of others, and as many reads as one answer can hold', () => {
    expect(laneFor('write_file', 30_000)).toBe(laneFor('write_file', 40_000))
    expect(laneFor('write_file', 30_000).maxCalls).toBe(Infinity)
    // A file of 100,000 control characters has six times as many as JSON.
    expect(laneFor('read_file', 30_000).maxCalls * 650_000).toBeLessThan(32 * 1024 * 1024)
  })

  test('lets an unknown command wait with 8 others at most', () => {
    for (const tool of ['bash', 'bash_stateful', 'tmux', 'anything'])
      expect(laneFor(tool, 30_000).maxCalls).toBe(9)
  })

  test('keeps timeout classes apart', () => {
    const timeouts = [500, 5_000, 30_000, 300_000, 3_600_000]
    expect(new Set(timeouts.map((timeoutMs) => laneFor('bash', timeoutMs))).size).toBe(timeouts.length)
  })

  test('has no limit of strangers where the timeout itself is short', () => {
    expect(laneFor('bash', 1_000).maxCalls).toBe(Infinity)
  })
})
