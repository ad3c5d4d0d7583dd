/**
 * Promise 10: stateful calls with timeouts, exits and kills among them: no mix-up of outputs, no hang, no leftover
 * process, and every replaced shell announced. `bun tests/campaign/stateful.ts [calls]`; `CAMPAIGN_SEED` for another seed
 */
import { createSandbox } from '../../src/server/sandbox.ts'
import { runStatefulCalls } from '../server/stateful-calls.ts'
import { processesWith, slotWorkspace } from '../server/support.ts'
import { atMost, type Check, exactly, runAlone } from './check.ts'

const slots = 8
const seed = Number(process.env.CAMPAIGN_SEED ?? Date.now() % 1_000_000)

export const stateful: Check = {
  name: 'stateful',
  row: '10',
  unit: 'calls',
  sizes: { full: 1_000, quick: 80 },
  needs: 'bubblewrap',
  run: async (calls) => {
    const marker = `marker-${crypto.randomUUID()}`
    const sandbox = await createSandbox({ slots })
    const workspaces = await Promise.all(Array.from({ length: slots }, (_, at) => slotWorkspace(sandbox, at)))
    const report = await runStatefulCalls(sandbox, { slots, calls, seed, marker })
    await sandbox.stop()
    const left = [marker, ...workspaces].flatMap(processesWith)
    const { lost, restarted, kept, longestOver, faults } = report
    return {
      done: `${calls} calls to shells that stay, with timeouts, exits and kills (seed ${seed}): ${lost} ended shells told, ${restarted} fresh ones told, ${kept} kept after a timeout`,
      figures: [
        exactly('answers that are wrong', faults.length, 0),
        // Two seconds to obey and be killed, and as much for a machine that is busy.
        atMost('s beyond a timeout', longestOver, 4),
        exactly('processes left', left.length, 0),
      ],
      wrongs: [...faults],
    }
  },
}

if (import.meta.main) await runAlone(stateful)
