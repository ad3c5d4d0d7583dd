/**
 * Proves the promises: each check in a process of its own, its figures against what is asked of them.
 *
 *     bun run campaign [--rows 1,4,soak,cuts-base] [--quick] [--markdown]        rows, or names of checks
 *     bun run campaign --mutations [--only WORD] [--markdown]
 *
 * The second form takes each mechanism away in a copy of the tree, and shows that its test notices. Exit code 1 when one falls short. Nothing is written into the tree, and nothing may be left in the temporary directory.
 */
import { readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { hasBubblewrap } from '../server/support.ts'
import { openDirectory } from '../support/temporary-directory.ts'
import { type Check, type Findings, isPassed, parseFindings } from './check.ts'
import { mutationTable, tryMutations, type Verdict } from './mutations/mutate.ts'
import { checks, promises } from './rows.ts'
import { type Line, markdownTable, textTable } from './table.ts'

const MAX_MINUTES = { full: 25, quick: 4 }

interface Options {
  readonly rows: readonly string[]
  readonly quick: boolean
  readonly markdown: boolean
  readonly mutations: boolean
  /** Of the mutations: those with this word. */
  readonly only: string
}

/** Of a promise, or the one of this name. */
function checksOf(row: string): Check[] {
  return checks.filter((check) => check.row === row || check.name === row)
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: [...promises.keys()].join(',') },
      quick: { type: 'boolean', default: false },
      markdown: { type: 'boolean', default: false },
      mutations: { type: 'boolean', default: false },
      only: { type: 'string', default: '' },
    },
  })
  const rows = values.rows.split(',')
  for (const row of rows)
    if (checksOf(row).length === 0)
      throw new Error(`There is no row ${row}: there are ${[...promises.keys()]}`)
  return { ...values, rows }
}

/** What a check found; that it broke down, or did not end, is a finding too. */
async function findingsOf(check: Check, place: string, quick: boolean): Promise<Findings> {
  const argv = [process.execPath, join(import.meta.dir, `${check.name}.ts`), '--json']
  const child = Bun.spawn(quick ? [...argv, '--quick'] : argv, {
    env: { ...process.env, TMPDIR: place },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: MAX_MINUTES[quick ? 'quick' : 'full'] * 60_000,
    killSignal: 'SIGKILL',
  })
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  try {
    return parseFindings(stdout.trimEnd().split('\n').at(-1) ?? '')
  } catch {
    const how = child.signalCode ?? `exit code ${child.exitCode}`
    return { done: `ended with ${how}`, figures: [], wrongs: [stderr.slice(-2_000)] }
  }
}

async function lineOf(check: Check, quick: boolean): Promise<Line> {
  const { row, name } = check
  const line = { row, promise: promises.get(row) ?? '', check: name }
  if (check.needs !== undefined && !hasBubblewrap) {
    const findings = { done: 'not run: bubblewrap is not here', figures: [], wrongs: [] }
    return { ...line, findings, verdict: 'skip', seconds: 0 }
  }
  const place = openDirectory(tmpdir(), `campaign-${name}-`)
  const began = performance.now()
  try {
    const found = await findingsOf(check, place, quick)
    const left = readdirSync(place).map((entry) => `${entry} was left in the temporary directory`)
    const findings = { ...found, wrongs: [...found.wrongs, ...left] }
    const seconds = (performance.now() - began) / 1000
    return { ...line, findings, verdict: isPassed(findings) ? 'pass' : 'FAIL', seconds }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

async function proveRows({ rows, quick, markdown }: Options): Promise<boolean> {
  const lines: Line[] = []
  for (const row of rows) {
    for (const check of checksOf(row)) {
      const line = await lineOf(check, quick)
      lines.push(line)
      console.error(`${line.verdict} ${check.row} ${check.name} ${line.seconds.toFixed(1)} s`)
      for (const wrong of line.findings.wrongs) console.error(`     ${wrong}`)
    }
  }
  console.log(markdown ? markdownTable(lines) : textTable(lines))
  const count = (wanted: Line['verdict']) => lines.filter(({ verdict }) => verdict === wanted).length
  const seconds = lines.reduce((sum, line) => sum + line.seconds, 0).toFixed(0)
  console.log(
    `${count('pass')} checks pass, ${count('FAIL')} fail, ${count('skip')} skipped, in ${seconds} s`,
  )
  return count('FAIL') === 0
}

async function mutate({ only, markdown }: Options): Promise<boolean> {
  const verdicts: Verdict[] = []
  await tryMutations(only, (verdict) => {
    verdicts.push(verdict)
    console.error(`${verdict.kind}: ${verdict.mutation.mechanism} (${verdict.told})`)
  })
  console.log(mutationTable(verdicts, markdown))
  const noticed = verdicts.filter(({ kind }) => kind === 'noticed').length
  const skipped = verdicts.filter(({ kind }) => kind === 'skipped').length
  console.log(
    `${noticed} of ${verdicts.length - skipped} mechanisms are missed when they are gone, ${skipped} skipped`,
  )
  return noticed === verdicts.length - skipped && noticed > 0
}

const options = readOptions()
const isProven = await (options.mutations ? mutate(options) : proveRows(options))
if (!isProven) process.exitCode = 1
