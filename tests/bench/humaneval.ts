/**
 * HumanEval through the whole stack against the same programs run bare at the same concurrency.
 *
 *     bun tests/bench/humaneval.ts [calls.jsonl] [--pairs 9] [--slots 8]
 *
 * Stack: first call to last result of the job's 164 trajectories (write the program, run it) over one executor, one
 * server and `--slots` slots, which are emptied between two trajectories. Bare: `xargs -P` over the same programs.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { SandboxExecutor } from '../../mod.ts'
import { startSandboxServer } from '../../src/server/mod.ts'

const { values, positionals } = parseArgs({
  options: { pairs: { type: 'string', default: '9' }, slots: { type: 'string', default: '8' } },
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
  await using server = await startSandboxServer({ slots: slotCount })
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

async function bare(dir: string): Promise<number> {
  const begin = performance.now()
  const command = `ls ${dir} | xargs -P ${slotCount} -I{} sh -c 'cd ${dir}/{} && python3 solution.py > /dev/null 2>&1'`
  const child = Bun.spawn(['sh', '-c', command], { env: { PATH: '/usr/bin:/bin' } })
  if ((await child.exited) !== 0) throw new Error('A bare program failed')
  return (performance.now() - begin) / 1000
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
const ratios: number[] = []
try {
  for (let pair = 0; pair < Number(values.pairs); pair++) {
    const isBareFirst = pair % 2 === 0
    const first = isBareFirst ? await bare(dir) : 0
    const { seconds, succeeded } = await throughStack()
    const bareSeconds = isBareFirst ? first : await bare(dir)
    ratios.push(seconds / bareSeconds)
    console.log(
      `pair ${pair + 1}: stack ${seconds.toFixed(2)} s (${succeeded} succeeded), bare ${bareSeconds.toFixed(2)} s, ratio ${(seconds / bareSeconds).toFixed(3)}`,
    )
  }
} finally {
  rmSync(dir, { recursive: true, force: true })
}
ratios.sort((a, b) => a - b)
console.log(
  `median ratio ${ratios[Math.floor(ratios.length / 2)]?.toFixed(3)} over ${ratios.length} pairs, ${slotCount} slots`,
)
