import { describe, expect, test } from 'bun:test'
import { slotCount } from '../../src/cli/job/open-slots.ts'

const status = (slots?: number) => ({ status: 'ok', raw: {}, ...(slots === undefined ? {} : { slots }) })

describe('the slots of a container', () => {
  test.each([
    [4, undefined, 4],
    [4, 2, 2],
    [4, 9, 4],
    [undefined, 3, 3],
    [0, 3, 3],
    [1.5, 3, 3],
  ])('that says %p, with --slots %p, are %d', (announced, limit, expected) => {
    expect(slotCount('http://x', status(announced), limit)).toBe(expected)
  })

  test('must be said by somebody', () => {
    expect(() => slotCount('http://x', status(), undefined)).toThrow(
      'The container http://x does not say how many slots it has: say it with --slots <n>',
    )
  })

  test.each([
    [null, 'Cannot use the container http://x: GET /health brought no JSON object'],
    [{ raw: {} }, 'Cannot use the container http://x: GET /health says no status, not "ok"'],
    [
      { status: 'draining', raw: {} },
      'Cannot use the container http://x: GET /health says the status "draining"',
    ],
  ])('are not used when it is not ready: %j', (said, sentence) => {
    expect(() => slotCount('http://x', said, 8)).toThrow(sentence)
  })
})
