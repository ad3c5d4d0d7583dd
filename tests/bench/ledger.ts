/**
 * What the extended protocol and its ledger cost a short call, through the whole stack: client, HTTP, server.
 *
 *     bun tests/bench/ledger.ts [--rounds 3] [--seconds 1] [--slots 1,16] [--isolation bubblewrap]
 *
 * Three servers, each a process of its own: `base` (no extended protocol), `v2` (a ledger for temporary data, not synced)
 * and `durable` (a ledger that is on the disk before a call begins: have TMPDIR on one). Rounds are interleaved; what counts are the ratios.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { SandboxExecutor } from '../../mod.ts'
import { createSandbox } from '../../src/server/sandbox.ts'

const kinds = ['base', 'v2', 'durable'] as const
type Kind = (typeof kinds)[number]
const tools = { read_file: { path: 'f' }, bash: { command: 'true' } } as const
type ToolName = keyof typeof tools

/** The process that serves; ends with its stdin. */
async function serve(kind: Kind, slots: number, isolation: 'bubblewrap' | 'none'): Promise<void> {
  const dataDir = kind === 'durable' ? mkdtempSync(join(tmpdir(), 'ledger-bench-')) : undefined
  const sandbox = await createSandbox(
    { slots, isolation, ...(dataDir === undefined ? {} : { dataDir }) },
    kind === 'base' ? { extended: { features: [] } } : {},
  )
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: (request, own) => sandbox.handler(request, () => own.timeout(request, 0)),
  })
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.port}` }))
  await Bun.stdin.text()
  await sandbox.stop()
  await server.stop(true)
  if (dataDir !== undefined) rmSync(dataDir, { recursive: true })
}

/** Each slot makes call after call for so long. */
async function measure(url: string, slots: number, tool: ToolName, seconds: number) {
  await using executor = new SandboxExecutor()
  const all = executor.slots(url, slots)
  await Promise.all(all.map((slot) => executor.execute(slot, 'write_file', { path: 'f', content: 'x' })))
  const times: number[] = []
  const begin = performance.now()
  const loop = async (slot: (typeof all)[number]) => {
    while (performance.now() < begin + seconds * 1000) {
      const started = performance.now()
      const result = await executor.execute(slot, tool, tools[tool])
      if (!result.success) throw new Error(`A call failed: ${result.error}`)
      times.push(performance.now() - started)
    }
  }
  await Promise.all(all.map(loop))
  const perSecond = (times.length * 1000) / (performance.now() - begin)
  return { perSecond, p50: times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN }
}

async function inRound(kind: Kind, slots: number, tool: ToolName, seconds: number, isolation: string) {
  const argv = [process.execPath, import.meta.path, 'serve', kind, String(slots), isolation]
  const child = Bun.spawn(argv, { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' })
  const { value } = await child.stdout.getReader().read()
  const { url } = v.parse(v.object({ url: v.string() }), JSON.parse(new TextDecoder().decode(value)))
  await measure(url, slots, tool, 0.3)
  const measured = await measure(url, slots, tool, seconds)
  child.stdin.end()
  await child.exited
  return measured
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '1' },
      slots: { type: 'string', default: '1,16' },
      isolation: { type: 'string', default: 'none' },
    },
  })
  for (const tool of ['read_file', 'bash'] as const) {
    for (const slots of values.slots.split(',').map(Number)) {
      const found: Record<Kind, { perSecond: number; p50: number }[]> = { base: [], v2: [], durable: [] }
      for (let round = 0; round < Number(values.rounds); round++) {
        for (let at = 0; at < kinds.length; at++) {
          const kind = kinds[(round + at) % kinds.length] ?? 'base'
          found[kind].push(await inRound(kind, slots, tool, Number(values.seconds), values.isolation))
        }
      }
      const ratio = (kind: Kind, key: 'perSecond' | 'p50') =>
        median(found[kind].map((one, at) => one[key] / (found.base[at]?.[key] ?? Number.NaN)))
      const line = kinds.map((kind) => {
        const perSecond = median(found[kind].map((one) => one.perSecond))
        const p50 = median(found[kind].map((one) => one.p50))
        const over = `× base ${ratio(kind, 'perSecond').toFixed(2)} /s, ${ratio(kind, 'p50').toFixed(2)} p50`
        return `${kind} ${perSecond.toFixed(0)}/s p50 ${p50.toFixed(2)} ms (${over})`
      })
      console.log(`${tool}, ${slots} slots: ${line.join('; ')}`)
    }
  }
}

const [command, kind, slots, isolation] = process.argv.slice(2)
if (command === 'serve') {
  await serve(
    v.parse(v.picklist(kinds), kind),
    Number(slots),
    v.parse(v.picklist(['bubblewrap', 'none']), isolation),
  )
} else await main()
