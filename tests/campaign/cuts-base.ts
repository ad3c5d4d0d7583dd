/**
 * Promise 2: a base server, cut at every byte: each call is posted once, and what is told of it is true.
 * `bun tests/campaign/cuts-base.ts [bytes from one offset to the next]`
 */
import { BaseGround, type BaseSetting } from '../faults/base-histories.ts'
import type { Fault } from '../support/fault-plan.ts'
import { cutEverywhere } from './all-cuts.ts'
import { type Check, runAlone } from './check.ts'

export const cutsBase: Check = {
  name: 'cuts-base',
  row: '2',
  unit: 'bytes from one offset to the next',
  sizes: { full: 1, quick: 211 },
  run: async (step) => {
    await using ground = await BaseGround.start()
    const way = (name: string, setting: BaseSetting) => ({
      name,
      violations: ground.violations.bind(ground),
      exhaust: (faults: readonly Fault[]) => ground.exhaust(faults, setting),
    })
    return await cutEverywhere(
      [
        way('fresh sockets', { fresh: true, calls: 1 }),
        way('reused sockets', { fresh: false, calls: 1 }),
        way('a batch', { fresh: false, calls: 2 }),
      ],
      { step, bytes: { request: 900, response: 800 }, allExited: false },
    )
  },
}

if (import.meta.main) await runAlone(cutsBase)
