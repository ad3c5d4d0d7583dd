/** Row 15, long form: `bun tests/campaign/paths-race.ts [races]`. Symlinks are swapped under 100,000 operations. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSandbox } from '../../src/server/sandbox.ts'
import { racePaths } from '../server/path-races.ts'

const races = Number(process.argv[2] ?? 100_000)
const dataDir = mkdtempSync(join(tmpdir(), 'paths-race-'))
const sandbox = await createSandbox({ isolation: 'none', slots: 1, dataDir })
const began = performance.now()
try {
  const tally = await racePaths(sandbox, join(dataDir, 'slot_0'), (tally) => tally.races >= races)
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${tally.races} races in ${seconds} s: ${tally.escapes} escapes`)
  console.log(`answered from inside ${tally.inside}, refused as outside ${tally.refused}`)
  for (const [error, count] of tally.others) console.log(`${count} × ${error}`)
  if (tally.escapes > 0 || tally.races < races) process.exitCode = 1
} finally {
  await sandbox.stop()
  rmSync(dataDir, { recursive: true })
}
