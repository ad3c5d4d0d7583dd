/** The short form of tests/campaign/pool-kill.ts (promises 3, 11 and 12). */
import { expect, test } from 'bun:test'
import { runPoolCampaign } from '../../campaign/pool-kill.ts'

const short = { containers: 3, slots: 4, trajectories: 36, isolation: 'none' } as const

test('all calls of all trajectories succeed, over several servers', async () => {
  const { outcomes, violations } = await runPoolCampaign({ ...short, kill: false })
  expect(violations).toEqual([])
  expect(outcomes).toEqual({ exited: 180 })
}, 60_000)

test('kill -9 of one server in the middle: told truthfully, others untouched, no double owner', async () => {
  const { outcomes, violations, struck } = await runPoolCampaign({ ...short, kill: true })
  expect(violations).toEqual([])
  expect(struck).toBeGreaterThan(0)
  expect(Object.values(outcomes).reduce((sum, count) => sum + count)).toBe(180)
}, 60_000)
