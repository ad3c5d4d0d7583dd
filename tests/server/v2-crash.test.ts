import { expect, test } from 'bun:test'
import { cancels } from '../campaign/v2-cancels.ts'
import { crashes } from '../campaign/v2-crash.ts'
import { hasBubblewrap } from './support.ts'

test('kill -9 in mid-batch: nothing runs twice, what was told is replayed (promise 4; the campaign does it 100 times)', async () => {
  const { violations, calls, replayed, interrupted, anew } = await crashes(4)
  expect(violations).toEqual([])
  expect(replayed + interrupted + anew).toBe(calls)
}, 40_000)

test.skipIf(!hasBubblewrap)(
  'cancel and hang-up end the whole tree (promise 10; the campaign does it 500 times)',
  async () => {
    const { violations, cancelled, hungUp } = await cancels(32)
    expect(violations).toEqual([])
    expect(cancelled + hungUp).toBe(32)
  },
  40_000,
)
