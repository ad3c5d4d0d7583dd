/**
 * HumanEval through the whole stack against the same programs run bare at the same concurrency.
 *
 *     bun tests/bench/humaneval.ts [calls.jsonl] [--pairs 9] [--slots 8] [--on-disk]
 *
 * Stack: first call to last result of the job's 164 trajectories (write the program, run it) over one executor, one
 * server and `--slots` slots, which are emptied between two trajectories. Bare: `xargs -P` over the same programs.
 * Plain: the same, each in a bubblewrap with the arguments of our sandboxes and nothing else: what isolation costs here.
 * The CPU is told too: when others are at work on the machine, it says more than the seconds.
 *
 * With `--on-disk` the server's ledger is there before a call begins (have TMPDIR on a disk).
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { SandboxExecutor } from '../../mod.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import { sandboxSettings } from '../../src/server/options.ts'
import { bwrapArgs } from '../../src/server/sandbox/bwrap-args.ts'
import { prepareIsolation } from '../../src/server/sandbox/prepare-isolation.ts'

const { values, positionals } = parseArgs({
  options: {
    pairs: { type: 'string', default: '9' },
    slots: { type: 'string', default: '8' },
    'on-disk': { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const [file = join(import.meta.dir, '../../../shared/data/humaneval.calls.jsonl')] = positionals
const slotCount = Number(values.slots)

const call = v.object({ trajectory: v.string(), tool: v.string(), args: v.record(v.string(), v.unknown()) })
type Call = v.InferOutput<typeof call>

const trajectories = new Map<string, Call[]>()
for (const line of (await Bun.file(file).text()).split('\n').filter(Boolean)) {
  const one = v.parse(call, JSON.parse(line))
  trajectories.set(one.trajectory, [...(trajectories.get(one.trajectory) ?? []), one])
}

interface Cost {
  readonly seconds: number
  /** Of CPU, of this process and of all its children that have ended. */
  readonly cpuSeconds: number
}

/** The kernel counts in hundredths of a second. */
function cpuSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100
}

/** From the first call to the last result; the CPU also of making the first holders, and of the server's stop. */
async function throughStack(): Promise<Cost> {
  using stack = new DisposableStack()
  const dataDir = stack.adopt(mkdtempSync(join(tmpdir(), 'humaneval-data-')), remove)
  const server = await startSandboxServer({
    slots: slotCount,
    ...(values['on-disk'] ? { dataDir } : {}),
  })
  const cpuBefore = cpuSeconds()
  const seconds = await runTrajectories(server.url)
  await server.stop()
  return { seconds, cpuSeconds: cpuSeconds() - cpuBefore }
}

/** In how many seconds. */
async function runTrajectories(url: string): Promise<number> {
  await using executor = new SandboxExecutor()
  const waiting = [...trajectories.values()]
  const begin = performance.now()
  const work = async (slot: ReturnType<typeof executor.slots>[number]) => {
    let isUsed = false
    for (let calls = waiting.shift(); calls !== undefined; calls = waiting.shift()) {
      if (isUsed) await executor.resetSlot(slot)
      isUsed = true
      for (const { tool, args } of calls) {
        const { success, error } = await executor.execute(slot, tool, args)
        if (!success) throw new Error(`A call failed: ${error}`)
      }
    }
  }
  await Promise.all(executor.slots(url, slotCount).map(work))
  return (performance.now() - begin) / 1000
}

function remove(dir: string): void {
  rmSync(dir, { recursive: true, force: true })
}

/** All programs, each run by `command`, in which `{}` is the number of the program. */
async function overPrograms(dir: string, command: readonly string[]): Promise<Cost> {
  const [begin, cpuBefore] = [performance.now(), cpuSeconds()]
  const script = 'd=$1 n=$2; shift 2; ls "$d" | xargs -P "$n" -I{} "$@"'
  const argv = ['sh', '-c', script, 'sh', dir, String(slotCount), ...command]
  const child = Bun.spawn(argv, { env: { PATH: '/usr/bin:/bin' } })
  if ((await child.exited) !== 0) throw new Error('A program failed')
  return { seconds: (performance.now() - begin) / 1000, cpuSeconds: cpuSeconds() - cpuBefore }
}

const program = 'python3 solution.py > /dev/null 2>&1'

function bareCommand(dir: string): string[] {
  return ['sh', '-c', `cd ${dir}/{} && ${program}`]
}

async function plainCommand(dir: string, systemDir: string): Promise<string[]> {
  const { limits } = sandboxSettings({})
  const more = {
    run: crypto.randomUUID(),
    network: false,
    bwrapPath: undefined,
    owner: null,
    hiddenDataDir: null,
  }
  const isolation = await prepareIsolation({ kind: 'bubblewrap', systemDir, limits, ...more })
  if (isolation.kind === 'none') throw new Error('There is no bubblewrap')
  const { seccompFile, bwrapPath } = isolation
  const seccompFd = seccompFile === null ? null : 4
  const setup = { ...isolation, workspace: `${dir}/{}`, tmpBytes: limits.tmpBytes, network: false, seccompFd }
  const filtered = ['sh', '-c', 'exec 4< "$0" && exec "$@"', seccompFile ?? '/dev/null']
  return [...filtered, bwrapPath, ...bwrapArgs(setup), 'sh', '-c', program]
}

function writePrograms(): string {
  const dir = mkdtempSync(join(tmpdir(), 'humaneval-'))
  let index = 0
  for (const calls of trajectories.values()) {
    const path = join(dir, String(index++))
    Bun.spawnSync(['mkdir', path])
    for (const { tool, args } of calls) {
      if (tool === 'write_file') writeFileSync(join(path, String(args.path)), String(args.content))
    }
  }
  return dir
}

const dir = writePrograms()
const systemDir = mkdtempSync(join(tmpdir(), 'humaneval-system-'))
const found: Record<'stack' | 'plain' | 'bare', Cost[]> = { stack: [], plain: [], bare: [] }
try {
  const plain = await plainCommand(dir, systemDir)
  const runs = {
    stack: throughStack,
    plain: () => overPrograms(dir, plain),
    bare: () => overPrograms(dir, bareCommand(dir)),
  }
  const kinds = ['stack', 'plain', 'bare'] as const
  for (let round = 0; round < Number(values.pairs); round++) {
    // Another order each time, so that none is always the one after a break.
    for (let at = 0; at < kinds.length; at++) {
      const kind = kinds[(round + at) % kinds.length] ?? 'bare'
      found[kind].push(await runs[kind]())
    }
    const lasts = kinds.map((kind) => ({
      kind,
      ...(found[kind].at(-1) ?? { seconds: NaN, cpuSeconds: NaN }),
    }))
    const told = lasts.map(
      (one) => `${one.kind} ${one.seconds.toFixed(2)} s (CPU ${one.cpuSeconds.toFixed(2)})`,
    )
    console.log(told.join(', '))
  }
} finally {
  remove(dir)
  remove(systemDir)
}
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN
const ratio = (over: readonly Cost[], under: readonly Cost[], key: keyof Cost) =>
  median(over.map((cost, at) => cost[key] / (under[at]?.[key] ?? NaN))).toFixed(2)
const { stack, plain, bare } = found
for (const key of ['seconds', 'cpuSeconds'] as const) {
  console.log(
    `median ratios of ${bare.length} rounds, ${slotCount} slots, ${key}: stack/bare ${ratio(stack, bare, key)}, ` +
      `plain/bare ${ratio(plain, bare, key)}, stack/plain ${ratio(stack, plain, key)}`,
  )
}
