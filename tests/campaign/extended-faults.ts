/**
 * Promise 1: 10,000 calls under 5 % faults of 12 kinds; each runs once, its result comes, and a witness outside the
 * server says so. `bun tests/campaign/extended-faults.ts [calls]`
 */
import { runCampaign } from '../faults/twelve-faults.ts'
import { atLeast, atMost, type Check, exactly, runAlone } from './check.ts'

export const extendedFaults: Check = {
  name: 'extended-faults',
  row: '1',
  unit: 'calls',
  sizes: { full: 10_000, quick: 4_000 },
  run: async (calls) => {
    const report = await runCampaign({ calls, rate: 0.05, seed: 1 })
    const { requests, struck, byKind, outcomes, altered } = report
    const told = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
    return {
      done: `${calls} calls in ${requests} requests, ${struck} faults of ${byKind.filter(Boolean).length} kinds: ${told}; ${altered} answers altered where no framing shows it`,
      figures: [
        exactly('ran twice', report.duplicates, 0),
        // Where answers were stalled again and again, the time of a call was over before it could be told.
        exactly(
          'lost, but to stalls until their deadline',
          report.reasons.filter((reason) => !reason.includes('within 35000 ms')).length,
          0,
        ),
        exactly('told untruly', report.violations.length, 0),
        atMost('ms after the deadline', report.lateMs, 250),
        atLeast('kinds of faults', byKind.filter(Boolean).length, 12),
      ],
      wrongs: [...report.violations],
    }
  },
}

if (import.meta.main) await runAlone(extendedFaults)
