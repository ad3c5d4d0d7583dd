import { describe, expect, test } from 'bun:test'
import { refuseStatus } from '../../src/cli/job/containers.ts'

const status = (slots?: number) => ({ status: 'ok', raw: {}, ...(slots === undefined ? {} : { slots }) })

describe('a container', () => {
  test.each([
    [4, undefined],
    [4, 9],
    [undefined, 3],
    [0, 3],
  ])('that says %p slots, with --slots %p, is used', (announced, limit) => {
    refuseStatus('http://x', status(announced), limit)
  })

  test.each([undefined, 0])('must say how many slots it has, not %p, unless somebody does', (announced) => {
    expect(() => refuseStatus('http://x', status(announced), undefined)).toThrow(
      'The container http://x does not say how many slots it has: say it with --slots <n>',
    )
  })

  test.each([
    [{ raw: {} }, 'Cannot use the container http://x: GET /health says no status, not "ok"'],
    [
      { status: 'draining', raw: {} },
      'Cannot use the container http://x: GET /health says the status "draining"',
    ],
  ])('is not used when it is not ready: %j', (said, sentence) => {
    expect(() => refuseStatus('http://x', said, 8)).toThrow(sentence)
  })
})
