/**
 * Promise 2: connections reset, closed and stalled at every byte of request and answer, fresh ones and reused ones, with base and extended
 * servers: the tests of the quick suite, without a step. `bun tests/campaign/cuts.ts [bytes from one offset to the next]`
 */
import { atLeast, type Check, exactly, runAlone } from './check.ts'
import { runTestFiles } from './test-files.ts'

const files = ['base-server', 'extended-server'].map((name) => `tests/faults/${name}.test.ts`)

export const cuts: Check = {
  name: 'cuts',
  row: '2',
  unit: 'bytes from one offset to the next',
  sizes: { full: 1, quick: 211 },
  run: async (step) => {
    const { passed, failed } = await runTestFiles(files, { FAULT_STEP: String(step) })
    const exhaustive = passed.filter((name) => name.includes('at every offset of the '))
    return {
      done: `every ${step === 1 ? '' : `${step}th `}byte of requests of 1,000 and answers of 1,300 bytes, in ${exhaustive.length} settings`,
      figures: [
        exactly('settings with a violation', failed.length, 0),
        atLeast('settings', exhaustive.length, 20),
      ],
      wrongs: [...failed],
    }
  },
}

if (import.meta.main) await runAlone(cuts)
