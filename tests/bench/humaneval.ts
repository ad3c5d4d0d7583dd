/**
 * HumanEval through the whole stack against the same programs run bare at the same concurrency.
 *
 *     bun tests/bench/humaneval.ts [calls.jsonl] [--pairs 9] [--slots 8] [--on-disk]
 *
 * Stack: first call to last result of the job's 164 trajectories (write the program, run it) over one executor, one
 * server and `--slots` slots, which are emptied between two trajectories. Bare: `xargs -P` over the same programs.
 * Plain: the same, each in a bubblewrap with the arguments of our sandboxes and nothing else: what isolation costs here.
 * With `--on-disk` the server's ledger is there before a call begins (have TMPDIR on a disk).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

/** Seconds, and how many calls succeeded. */
async function throughStack(): Promise<{ readonly seconds: number; readonly succeeded: number }> {
  using stack = new DisposableStack()
  const dataDir = stack.adopt(mkdtempSync(join(tmpdir(), 'humaneval-data-')), remove)
  await using server = await startSandboxServer({
    slots: slotCount,
    ...(values['on-disk'] ? { dataDir } : {}),
  })
  await using executor = new SandboxExecutor()
  const waiting = [...trajectories.values()]
  let succeeded = 0
  const begin = performance.now()
  const work = async (slot: ReturnType<typeof executor.slots>[number]) => {
    let isUsed = false
    for (let calls = waiting.shift(); calls !== undefined; calls = waiting.shift()) {
      if (isUsed) await executor.resetSlot(slot)
      isUsed = true
      for (const { tool, args } of calls) {
        const result = await executor.execute(slot, tool, args)
        if (result.success) succeeded += 1
      }
    }
  }
  await Promise.all(executor.slots(server.url, slotCount).map(work))
  return { seconds: (performance.now() - begin) / 1000, succeeded }
}

function remove(dir: string): void {
  rmSync(dir, { recursive: true, force: true })
}

/** Seconds for all programs, each run by `command`, in which `{}` is the number of the program. */
async function overPrograms(dir: string, command: readonly string[]): Promise<number> {
  const begin = performance.now()
  const script = 'd=$1 n=$2; shift 2; ls "$d" | xargs -P "$n" -I{} "$@"'
  const argv = ['sh', '-c', script, 'sh', dir, String(slotCount), ...command]
  const child = Bun.spawn(argv, { env: { PATH: '/usr/bin:/bin' } })
  if ((await child.exited) !== 0) throw new Error('A program failed')
  return (performance.now() - begin) / 1000
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
const found: Record<'stack' | 'plain' | 'bare', number[]> = { stack: [], plain: [], bare: [] }
try {
  const plain = await plainCommand(dir, systemDir)
  const runs = {
    stack: async () => {
      const { seconds, succeeded } = await throughStack()
      const calls = [...trajectories.values()].flat().length
      if (succeeded !== calls) throw new Error(`${succeeded} of ${calls} calls succeeded`)
      return seconds
    },
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
    console.log(kinds.map((kind) => `${kind} ${found[kind].at(-1)?.toFixed(2)} s`).join(', '))
  }
} finally {
  remove(dir)
  remove(systemDir)
}
const median = (numbers: number[]) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN
const ratio = (over: readonly number[], under: readonly number[]) =>
  median(over.map((seconds, at) => seconds / (under[at] ?? NaN))).toFixed(2)
console.log(
  `median ratios of ${found.bare.length} rounds, ${slotCount} slots: stack/bare ${ratio(found.stack, found.bare)}, ` +
    `plain/bare ${ratio(found.plain, found.bare)}, stack/plain ${ratio(found.stack, found.plain)}`,
)
