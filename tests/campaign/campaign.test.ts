/** The campaign itself: a figure that is missed is told, and no promise is without a check. */
import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { atLeast, atMost, below, exactly, isPassed } from './check.ts'
import { checks, promises } from './rows.ts'
import { markdownTable, textTable } from './table.ts'

test('every promise has a check, and every check a promise and a file of its name', () => {
  expect(new Set(checks.map(({ row }) => row))).toEqual(new Set(promises.keys()))
  for (const { name, sizes } of checks) {
    expect(existsSync(join(import.meta.dir, `${name}.ts`))).toBe(true)
    expect(sizes.quick).not.toBeNaN()
  }
  expect(new Set(checks.map(({ name }) => name)).size).toBe(checks.length)
})

describe('a figure', () => {
  test('is met by what was asked, and no other', () => {
    expect([exactly('n', 0, 0), exactly('n', 1, 0)].map(({ isMet }) => isMet)).toEqual([true, false])
    expect([below('n', 1, 2), below('n', 2, 2)].map(({ isMet }) => isMet)).toEqual([true, false])
    expect([atMost('n', 2, 2), atMost('n', 3, 2)].map(({ isMet }) => isMet)).toEqual([true, false])
    expect([atLeast('n', 2, 2), atLeast('n', 1, 2)].map(({ isMet }) => isMet)).toEqual([true, false])
  })

  test('that is no number is met by nothing', () => {
    const figures = [exactly, below, atMost, atLeast].map((make) => make('n', Number.NaN, 0))
    expect(figures.filter(({ isMet }) => isMet)).toEqual([])
  })
})

test('a check passes with all figures met and nothing wrong; without figures it does not', () => {
  const good = exactly('n', 0, 0)
  expect(isPassed({ done: '', figures: [good], wrongs: [] })).toBe(true)
  expect(isPassed({ done: '', figures: [good, exactly('n', 1, 0)], wrongs: [] })).toBe(false)
  expect(isPassed({ done: '', figures: [good], wrongs: ['something'] })).toBe(false)
  expect(isPassed({ done: '', figures: [], wrongs: [] })).toBe(false)
})

test('a table shows what was found beside what was asked', () => {
  const figures = [
    exactly('ran twice, which is long enough to be broken over two lines', 0, 0),
    below('MB', 70, 64),
  ]
  const line = {
    row: '9',
    promise: 'Memory is bounded',
    check: 'memory',
    findings: { done: '1 | 2', figures, wrongs: [] },
    verdict: 'FAIL' as const,
    seconds: 1.25,
  }
  const text = textTable([line]).split('\n')
  expect(text.find((each) => each.includes('70 MB'))).toMatch(/70 MB +< 64/)
  expect(text.some((each) => each.includes('FAIL'))).toBe(true)
  expect(Math.max(...text.map((each) => each.length))).toBeLessThan(160)
  expect(markdownTable([line])).toContain('memory: 1 \\| 2')
  expect(markdownTable([line])).toContain('70 MB | 0<br>< 64 | FAIL |')
})
