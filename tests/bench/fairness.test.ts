/** Nobody waits for a stranger: the order of events, no times. */
import { expect, test } from 'bun:test'
import { SandboxExecutor } from '../../mod.ts'
import { besideSlow, byExecutor, serverOf } from './fairness.ts'

test('beside one slow bash call, at most 8 of 63 fast ones on the same base server wait for it', async () => {
  const slow = Promise.withResolvers<void>()
  await using server = serverOf((command) => (command === 'slow' ? slow.promise : Promise.resolve()))
  await using executor = new SandboxExecutor()
  let ended = 0
  const { waited } = await besideSlow(byExecutor(executor, server.url), () => {
    ended += 1
    // The slow call runs until 55 have ended without it: if more had to wait for it, nobody would ever end.
    if (ended === 55) slow.resolve()
  })
  expect(waited).toBeLessThanOrEqual(8)
  expect(64 / server.posts.length).toBeGreaterThanOrEqual(6)
}, 60_000)
