/**
 * Promise 2: our own server, cut at every byte: each call of a batch runs once, and its result comes.
 * `bun tests/campaign/cuts-own.ts [bytes from one offset to the next]`
 */
import { exhaust, startOwn, violations } from '../faults/extended-histories.ts'
import { cutEverywhere } from './all-cuts.ts'
import { type Check, runAlone } from './check.ts'

export const cutsOwn: Check = {
  name: 'cuts-own',
  row: '2',
  unit: 'bytes from one offset to the next',
  sizes: { full: 1, quick: 211 },
  run: async (step) => {
    await using own = await startOwn()
    const setting = { fresh: false, calls: 2, ground: () => own.ground }
    const way = {
      name: 'a batch on reused sockets',
      violations,
      exhaust: (faults: Parameters<typeof exhaust>[0]) => exhaust(faults, setting),
    }
    return await cutEverywhere([way], { step, bytes: { request: 1_000, response: 1_100 }, allExited: true })
  },
}

if (import.meta.main) await runAlone(cutsOwn)
