/**
 * Promise 2: an extended server in memory, cut at every byte: each call runs once, and its result comes.
 * `bun tests/campaign/cuts-extended.ts [bytes from one offset to the next]`
 */
import { exhaust, type Setting, violations } from '../faults/extended-histories.ts'
import { cutEverywhere } from './all-cuts.ts'
import { type Check, runAlone } from './check.ts'

const way = (name: string, setting: Setting) => ({
  name,
  violations,
  exhaust: (faults: Parameters<typeof exhaust>[0]) => exhaust(faults, setting),
})

export const cutsExtended: Check = {
  name: 'cuts-extended',
  row: '2',
  unit: 'bytes from one offset to the next',
  sizes: { full: 1, quick: 211 },
  run: (step) =>
    cutEverywhere(
      [
        way('fresh sockets', { fresh: true, calls: 1 }),
        way('reused sockets', { fresh: false, calls: 1 }),
        way('a batch', { fresh: false, calls: 3 }),
      ],
      { step, bytes: { request: 750, response: 700 }, allExited: true },
    ),
}

if (import.meta.main) await runAlone(cutsExtended)
