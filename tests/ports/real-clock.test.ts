import { expect, test } from 'bun:test'
import { realClock } from '../../src/ports/real-clock.ts'

test('a time that is longer than a timer can hold is not over at once', async () => {
  let isOver = false
  const timer = realClock.setTimeout(() => {
    isOver = true
  }, 2 ** 31)
  await Bun.sleep(20)
  expect(isOver).toBe(false)
  realClock.clearTimeout(timer)
})
