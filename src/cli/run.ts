/** The command `run`. */
import { type Command, Option } from 'commander'
import * as v from 'valibot'
import type { SandboxEvent } from '../executor/events.ts'
import { startInspector } from '../inspector/mod.ts'
import { isDebugging } from './debugging.ts'
import { formatDemo } from './demo-job.ts'
import { CommandFailure, exitCodes } from './failure.ts'
import { listenForSignals, untilInterrupted } from './interruption.ts'
import type { NomadJob } from './job/containers.ts'
import { type ReadJob, readJob } from './job/read-job.ts'
import type { ResultRecord } from './job/records.ts'
import { defaultSlots, type JobListeners, type JobOptions, runWaiting } from './job/run-waiting.ts'
import { allRan, formatSummary, PostCounter, type Summary, summarise } from './job/summary.ts'
import {
  addresses,
  dataDirOption,
  isolationOption,
  isolations,
  nomadAddress,
  notEmpty,
  slotsOption,
} from './option-values.ts'
import { note } from './print.ts'
import { nomadTokenFileOption, nomadTokenVariable, readToken, tokenFileOption } from './token.ts'

const runOptions = v.strictObject({
  slots: v.optional(v.number()),
  container: v.optional(v.array(v.string()), []),
  nomad: v.optional(v.string()),
  job: v.optional(v.string()),
  nomadTokenFile: v.optional(v.string()),
  out: v.optional(v.string()),
  resume: v.optional(v.boolean(), false),
  isolation: v.optional(v.picklist(isolations)),
  dataDir: v.optional(v.string()),
  tokenFile: v.optional(v.string()),
  inspect: v.optional(v.boolean(), false),
  json: v.optional(v.boolean(), false),
  verbose: v.optional(v.boolean(), false),
})

type RunOptions = Omit<
  v.InferOutput<typeof runOptions>,
  'tokenFile' | 'inspect' | 'nomad' | 'job' | 'nomadTokenFile'
>

const help = `
Calls file: one JSON object a line, checked whole before anything runs:
  {"trajectory": "id", "tool": "bash", "args": {"command": "echo hi"}, "timeout_s": 30}
Tools: bash and bash_stateful (command), tmux (action), read_file (path), write_file (path, content).
timeout_s may be left out (30).
Calls of a trajectory run in order in one slot; trajectories run side by side. A slot is emptied before the
next trajectory gets it, not after the last one; those of --container, --nomad and --data-dir also before the first.
After a call that did not run, or of which nobody knows whether it ran, the rest of its trajectory is not run.

Results file: one JSON object a line as calls end. Without --resume it is replaced.
--resume keeps the lines of trajectories that are complete, and runs the others from their first call.

Exit codes: 0 all calls ran (exited or timed-out), 1 some could not run, 2 wrong usage or input, 130 Ctrl-C.`

export function addRunCommand(program: Command): void {
  program
    .command('run', { isDefault: true })
    .summary('run the tool calls of a file; without one, a small job of our own')
    .description(
      'Runs the tool calls of a file in slots. Without a file: a small job that shows what it does.',
    )
    .argument('[calls.jsonl]', 'the calls file')
    .addOption(
      slotsOption(
        `slots of the embedded server (default: ${defaultSlots}); with --container or --nomad, the most that are used of each`,
      ),
    )
    .addOption(
      new Option(
        '--container <url>',
        'use this running server, not an embedded one; can be given several times',
      )
        .argParser(addresses)
        .conflicts(['isolation', 'dataDir']),
    )
    .addOption(
      new Option('--nomad <url>', 'use the containers of a Nomad job, as in http://127.0.0.1:4646')
        .argParser(nomadAddress)
        .conflicts(['container', 'isolation', 'dataDir']),
    )
    .addOption(new Option('--job <id>', 'the Nomad job, with --nomad').argParser(notEmpty))
    .addOption(nomadTokenFileOption())
    .addOption(
      new Option('--out <file>', 'write the results there; without it only the summary is printed').argParser(
        notEmpty,
      ),
    )
    .option('--resume', 'go on with the results file of --out')
    .addOption(isolationOption())
    .addOption(dataDirOption())
    .addOption(tokenFileOption('a file with the token of the servers of --container or --nomad'))
    .option('--inspect', 'show what every slot is doing on a page, until Ctrl-C')
    .option('--json', 'print the summary as JSON')
    .option('--verbose', 'print a line on stderr for everything that happens (also: SANDBOX_SLOTS_DEBUG=1)')
    .addHelpText('after', help)
    .action(async (file: unknown, options: unknown) => {
      const { tokenFile, inspect, nomad, job, nomadTokenFile, ...checked } = v.parse(runOptions, options)
      const verbose = checked.verbose || isDebugging()
      const cluster = await nomadJobOf(nomad, job, nomadTokenFile)
      const token = await tokenOfContainers(tokenFile, checked.container.length > 0 || cluster !== undefined)
      const calls = v.parse(v.optional(v.string()), file)
      process.exitCode = await (inspect ? runInspected : run)(calls, {
        ...checked,
        verbose,
        token,
        nomad: cluster,
      })
    })
}

async function nomadJobOf(
  url: string | undefined,
  job: string | undefined,
  tokenFile: string | undefined,
): Promise<NomadJob | undefined> {
  if (url !== undefined && job !== undefined)
    return { url, job, token: await readToken(tokenFile, nomadTokenVariable) }
  if (url !== undefined)
    throw new CommandFailure('--nomad needs --job <id>, the job whose containers are used')
  const alone = job !== undefined ? '--job' : tokenFile !== undefined ? '--nomad-token-file' : undefined
  if (alone !== undefined) throw new CommandFailure(`${alone} is for --nomad <url>, and none is given`)
  return undefined
}

async function tokenOfContainers(tokenFile: string | undefined, areOthers: boolean) {
  if (areOthers) return await readToken(tokenFile)
  if (tokenFile === undefined) return undefined
  throw new CommandFailure('--token-file is for the servers of --container or --nomad, and none is given')
}

/** With a page that stays after the run. */
async function runInspected(file: string | undefined, options: JobOptions & RunOptions): Promise<number> {
  const secrets = [options.token, options.nomad?.token].filter((secret) => secret !== undefined)
  await using page = await startInspector({ secrets })
  note(`Watch it: ${page.url}`)
  const exitCode = await run(file, { ...options, inspect: page.inspect })
  if (exitCode === exitCodes.interrupted || exitCode === exitCodes.terminated) return exitCode
  using interruption = listenForSignals()
  note(`The page stays until Ctrl-C: ${page.url}`)
  await untilInterrupted(interruption)
  return exitCode
}

async function run(file: string | undefined, options: JobOptions & RunOptions): Promise<number> {
  const job = await readJob(file, options)
  using interruption = listenForSignals({
    onFirst: (name) => {
      // After the ^C of a terminal, and beside its bar.
      const start = process.stderr.isTTY ? '\n' : ''
      note(`${start}${name}: what runs has 2 s to end; a second one ends at once`)
    },
  })
  const { summary, records } = await runInSlots(job, options, interruption.signal)
  if (job.isDemo && !options.json) console.log(`${formatDemo(job.trajectories, records)}\n`)
  console.log(options.json ? JSON.stringify(summary) : formatSummary(summary))
  if (interruption.exitCode !== undefined) return interruption.exitCode
  if (allRan(summary)) return exitCodes.allRan
  if (options.out !== undefined) note(repeatHint(summary, options.out))
  return exitCodes.notAllRan
}

/** They have lines, so that --resume alone skips them. */
function repeatHint({ calls, outcomes }: Summary, out: string): string {
  const lost = calls - outcomes.exited.calls - outcomes['timed-out'].calls
  return (
    `${lost} calls did not run, or nobody knows whether they ran. To run their trajectories again: remove their ` +
    `lines from ${out}, then use --resume.`
  )
}

async function runInSlots(job: ReadJob, options: JobOptions, signal: AbortSignal) {
  const tally = new Tally(job.isDemo)
  const { slots, containers } = await runWaiting(job, options, signal, tally)
  const summary = summarise({
    calls: job.trajectories.reduce((sum, { calls }) => sum + calls.length, 0),
    trajectories: job.trajectories.length,
    before: job.kept,
    now: tally.records,
    containers,
    slots,
    counter: tally.counter,
    elapsedMs: tally.elapsedMs,
  })
  return { summary, records: tally.records }
}

/** What is seen of a run, for its summary. */
class Tally implements JobListeners {
  readonly counter = new PostCounter()
  readonly records: ResultRecord[] = []
  readonly #keepsTexts: boolean
  #firstCallAt: number | undefined
  #lastResultAt = 0

  constructor(keepsTexts: boolean) {
    this.#keepsTexts = keepsTexts
  }

  get elapsedMs(): number {
    return this.#firstCallAt === undefined ? 0 : Math.max(0, this.#lastResultAt - this.#firstCallAt)
  }

  onEvent(event: SandboxEvent): void {
    this.counter.count(event)
  }

  onCall(): void {
    this.#firstCallAt ??= performance.now()
  }

  onResult(record: ResultRecord): void {
    this.#lastResultAt = performance.now()
    // The outputs of a large job would fill the memory.
    this.records.push(this.#keepsTexts ? record : { ...record, output: '', error: '', metadata: {} })
  }
}
