/**
 * An extended server behind a proxy that breaks connections at any byte of request and answer: every call runs once, and
 * its result comes (promises 1, 2, 3, 7). `tests/campaign/cuts-extended.ts` and `cuts-own.ts`
 * take every offset.
 */
import { describe, expect, test } from 'bun:test'
import type { Direction, Fault } from '../support/fault-proxy.ts'
import { cuts, exhaust, longest, outcomesOf, startOwn, violations } from './extended-histories.ts'
import { runCampaign } from './twelve-faults.ts'

const step = 61

const settings = [
  ['fresh sockets, one call', true, 1],
  ['reused sockets, one call', false, 1],
  ['reused sockets, a batch', false, 3],
] as const
const messages: [Direction, number][] = [
  ['request', 1_000],
  ['response', 1_100],
]

describe.each(settings)('cuts, extended server, %s', (_, fresh, calls) => {
  test.each(messages)(
    'in the %s: it runs once, and its result comes',
    async (direction, bytes) => {
      const histories = await exhaust(cuts(['reset', 'close'], direction, bytes, step), { fresh, calls })
      expect(violations(histories)).toEqual([])
      // Whatever was cut is asked for again.
      expect(outcomesOf(histories)).toEqual(['exited'])
      expect(longest(histories, direction)).toBeLessThan(bytes)
    },
    600_000,
  )

  test.each(messages)(
    'stalled, in the %s: it runs once, and is asked for again when its time is over',
    async (direction, bytes) => {
      const histories = await exhaust(cuts(['stall'], direction, bytes, step), { fresh, calls })
      expect(violations(histories)).toEqual([])
      expect(outcomesOf(histories)).toEqual(['exited'])
      expect(longest(histories, direction)).toBeLessThan(bytes)
    },
    600_000,
  )
})

test.each(messages)(
  'cuts, our own server, in the %s: each call of a batch runs once, and its result comes',
  async (direction, bytes) => {
    await using own = await startOwn()
    const setting = { fresh: false, calls: 2, ground: () => own.ground }
    const histories = await exhaust(cuts(['reset', 'close', 'stall'], direction, bytes, step), setting)
    expect(violations(histories)).toEqual([])
    expect(outcomesOf(histories)).toEqual(['exited'])
    expect(longest(histories, direction)).toBeLessThan(bytes)
  },
  600_000,
)

const bent: Fault[] = [0, 40, 130, 190, 260, 330].flatMap((at): Fault[] => [
  { kind: 'truncate', in: 'response', at, bytes: 7 },
  { kind: 'duplicate', in: 'response', at, bytes: 9 },
  { kind: 'garble', in: 'response', at, with: '##########' },
  { kind: 'drip', in: 'response', at, bytes: 50 },
])

test('answers that are bent: never the result of another, never twice', async () => {
  const histories = await exhaust(bent, { fresh: true, calls: 3 })
  expect(violations(histories)).toEqual([])
}, 60_000)

test.each(['base', 'empty'] as const)(
  'cut, and replaced by a server that is %s before it is asked again: unknown, and not run there',
  async (by) => {
    const faults = cuts(['reset', 'close'], 'response', 500, 250)
    const histories = await exhaust(faults, { fresh: false, calls: 2, replacedBy: by })
    expect(violations(histories)).toEqual([])
    expect(outcomesOf(histories)).toEqual(['unknown'])
  },
  60_000,
)

test('800 calls to our own server while 20 % of requests are struck, in twelve ways: each runs once', async () => {
  const report = await runCampaign({ calls: 800, rate: 0.2, seed: 1 })
  expect([report.violations, report.duplicates]).toEqual([[], 0])
  expect(report.struck).toBeGreaterThan(20)
  // Only where the answer was stalled again and again, its time was over before it could be told.
  for (const reason of report.reasons) expect(reason).toContain('within 35000 ms')
  expect(report.reasons.length).toBeLessThan(40)
}, 60_000)
