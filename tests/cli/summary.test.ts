import { describe, expect, test } from 'bun:test'
import { TenthCounter } from '../../src/cli/job/progress.ts'
import { allRan, formatSummary, PostCounter, percentile, summarise } from '../../src/cli/job/summary.ts'
import type { Outcome } from '../../src/executor/results.ts'

const ended = (outcome: Outcome, success = false, duration_s = 1) => ({ outcome, success, duration_s })

const parts = {
  calls: 6,
  trajectories: 3,
  before: [ended('exited', true, 100)],
  now: [
    ended('exited', true, 0.25),
    ended('exited', false, 0.5),
    ended('timed-out', false, 3),
    ended('not-run', false, 0),
    ended('unknown', false, 7),
  ],
  containers: 2,
  slots: 16,
  counter: { posts: 2, postedCalls: 5, resets: 1 },
  elapsedMs: 4321.4,
}

describe('the summary', () => {
  test('shows tools that failed apart from calls that did not run', () => {
    expect(formatSummary(summarise(parts))).toBe(`outcome    calls  succeeded  failed
exited         3          2       1
timed-out      1          0       1
not-run        1          0       1
unknown        1          0       1
all            6          2       4

from before                1 of 6 calls
trajectories               3 in 16 slots of 2 containers
posts                      2 (and 1 reset)
calls per post             2.50
duration p50               0.500 s
duration p95               3.000 s
first call to last result  4.321 s`)
  })

  test('of a job that had nothing left to do', () => {
    const none = { posts: 0, postedCalls: 0, resets: 0 }
    const summary = summarise({ ...parts, calls: 1, now: [], counter: none, slots: 0, elapsedMs: 0 })
    expect(summary.calls_per_post).toBeNull()
    expect(summary.duration_s).toEqual({ p50: null, p95: null })
    expect(allRan(summary)).toBe(true)
    expect(formatSummary(summary)).toContain('calls per post             –\n')
  })

  test.each([
    ['exited', true],
    ['timed-out', true],
    ['cancelled', false],
    ['not-run', false],
    ['unknown', false],
  ] as const)('a call that ended as %s counts as run: %p', (outcome, isRun) => {
    expect(allRan(summarise({ ...parts, calls: 1, before: [], now: [ended(outcome)] }))).toBe(isRun)
  })

  test('without some of the results not all ran', () => {
    const summary = summarise({ ...parts, calls: 2, now: [] })
    expect(summary.without_result).toBe(1)
    expect(allRan(summary)).toBe(false)
  })

  test('counts the posts of tool calls, and resets apart', () => {
    const counter = new PostCounter()
    const post = { type: 'post.started', postId: 1, container: 'x', bytes: 1 } as const
    counter.count({ ...post, route: '/batch', calls: 9 })
    counter.count({ ...post, route: '/execute', calls: 1 })
    counter.count({ ...post, route: '/reset', calls: 1 })
    counter.count({ type: 'call.posted', executionId: 'x', postId: 1, attempt: 1 })
    expect(counter).toMatchObject({ posts: 2, postedCalls: 10, resets: 1 })
  })
})

describe('a percentile', () => {
  test.each([
    [[], 0.5, null],
    [[7], 0.95, 7],
    [[3, 1, 2], 0.5, 2],
    [[4, 3, 2, 1], 0.5, 2],
    [Array.from({ length: 100 }, (_, index) => index + 1), 0.95, 95],
  ])('of %j at %d is %p', (values, share, expected) => {
    expect(percentile(values, share)).toBe(expected)
  })
})

describe('progress in plain lines', () => {
  test('tells each tenth, and the end', () => {
    const counter = new TenthCounter(328)
    const lines = Array.from({ length: 328 }, (_, index) => counter.ended(index !== 40)).filter(Boolean)
    expect(lines).toHaveLength(10)
    expect(lines[0]).toBe('33 of 328 calls ended')
    expect(lines.at(-1)).toBe('328 of 328 calls ended, 1 failed')
  })

  test('tells each call of a small job', () => {
    const counter = new TenthCounter(3)
    expect([true, true, true].map((success) => counter.ended(success))).toEqual([
      '1 of 3 calls ended',
      '2 of 3 calls ended',
      '3 of 3 calls ended',
    ])
  })
})
