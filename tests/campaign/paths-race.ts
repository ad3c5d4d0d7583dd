/** Promise 15: symlinks are swapped under 100,000 operations. `bun tests/campaign/paths-race.ts [races]` */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSandbox } from '../../src/server/sandbox.ts'
import { racePaths } from '../server/path-races.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'

export const pathsRace: Check = {
  name: 'paths-race',
  row: '15',
  unit: 'races',
  sizes: { full: 100_000, quick: 1_500 },
  run: async (races) => {
    const dataDir = mkdtempSync(join(tmpdir(), 'paths-race-'))
    const sandbox = await createSandbox({ isolation: 'none', slots: 1, dataDir })
    try {
      const tally = await racePaths(sandbox, join(dataDir, 'slot_0'), (tally) => tally.races >= races)
      return {
        done: `${tally.races} operations on paths that are swapped meanwhile: ${tally.inside} answered from inside, ${tally.refused} refused as outside`,
        figures: [exactly('escapes', tally.escapes, 0), atLeast('races', tally.races, races)],
        wrongs: [],
      }
    } finally {
      await sandbox.stop()
      rmSync(dataDir, { recursive: true })
    }
  },
}

if (import.meta.main) await runAlone(pathsRace)
