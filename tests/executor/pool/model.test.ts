/**
 * Random acquire, release, call, crash, return, failed reset, loss: no double owner, no lost slot, no lost waiter, first
 * come first served. `tests/campaign/leases.ts` is the long form; `POOL_SHRINK=1` makes a run that failed smaller.
 */
import { expect, test } from 'bun:test'
import { playRuns, stepsEach } from './model.ts'

const runs = 50

test(`${runs * stepsEach} random steps (promise 11)`, async () => {
  const shrinks = process.env.POOL_SHRINK !== undefined
  const { steps, served, violations } = await playRuns({ runs, seed: 8, shrinks })
  expect(violations).toEqual([])
  expect(steps).toBe(runs * stepsEach)
  expect(served).toBeGreaterThan(steps / 50)
}, 600_000)
