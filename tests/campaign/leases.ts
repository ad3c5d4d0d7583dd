/**
 * Promise 11: random steps of those who hold slots of a pool and of the containers under it: acquire, release, call,
 * reset, crash, return, failed reset, loss. `bun tests/campaign/leases.ts [steps]`; `CAMPAIGN_SEED` for another seed
 */
import { playRuns, stepsEach } from '../executor/pool/model.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'

const seed = Number(process.env.CAMPAIGN_SEED ?? 11)

export const leases: Check = {
  name: 'leases',
  row: '11',
  unit: 'steps',
  sizes: { full: 20_000, quick: 4_000 },
  run: async (size) => {
    const runs = Math.ceil(size / stepsEach)
    const { steps, served, refused, violations } = await playRuns({ runs, seed, shrinks: false })
    return {
      done: `${steps} random steps, ${served} leases given, ${refused} given up or waited for too long (seed ${seed})`,
      figures: [
        exactly('double owners, lost slots or waiters, out of turn', violations.length, 0),
        atLeast('steps', steps, size),
      ],
      wrongs: [...violations],
    }
  },
}

if (import.meta.main) await runAlone(leases)
