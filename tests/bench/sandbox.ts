/**
 * What a sandbox costs a short command, through the whole stack: client, HTTP, server.
 *
 *     bun tests/bench/sandbox.ts [--rounds 5] [--seconds 1.5] [--slots 1,16,64] [--on-disk]
 *
 * Three servers, each a process of its own: `ready` (the next sandbox waits), `fresh` (bubblewrap is started by the call)
 * and `bare` (isolation none). Rounds are interleaved; what counts on a machine that is not quiet are the ratios.
 *
 * Paced, each slot makes one call every so many milliseconds: every 25 where `bare` can do that, and at a third of what
 * `bare` and half of what `fresh` did when saturated. `offered` is what was asked for, per second: where less was done,
 * calls waited, and p50 tells the queue. With `--on-disk` the servers have data directories, and so ledgers, that stay: what
 * begins is on the disk before it does (have TMPDIR on one).
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { SandboxExecutor } from '../../mod.ts'
import { createSandbox } from '../../src/server/sandbox.ts'

const kinds = ['bare', 'fresh', 'ready'] as const
type Kind = (typeof kinds)[number]

const PACE_MS = 25

interface Measured {
  readonly perSecond: number
  readonly p50: number
  readonly p95: number
}

/** The process that serves; ends with its stdin. */
async function serve(kind: Kind, slots: number, isOnDisk: boolean): Promise<void> {
  const dataDir = isOnDisk ? mkdtempSync(join(tmpdir(), 'sandbox-bench-')) : undefined
  const isolation = kind === 'bare' ? 'none' : 'bubblewrap'
  const options = { slots, isolation, ...(dataDir === undefined ? {} : { dataDir }) } as const
  const internals = kind === 'fresh' ? { ready: { maxWaiting: 0, idleMs: 30_000 } } : {}
  const sandbox = await createSandbox(options, internals)
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

interface Setting {
  readonly slots: number
  readonly isOnDisk: boolean
}

async function startServer(kind: Kind, { slots, isOnDisk }: Setting) {
  const argv = [process.execPath, import.meta.path, 'serve', kind, String(slots), String(isOnDisk)]
  const child = Bun.spawn(argv, { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' })
  const { value } = await child.stdout.getReader().read()
  const { url } = v.parse(v.object({ url: v.string() }), JSON.parse(new TextDecoder().decode(value)))
  const stop = async () => {
    child.stdin.end()
    await child.exited
  }
  return { url, stop }
}

/** Each slot makes call after call (`paceMs` 0) or one every `paceMs`, for so long. */
async function measure(url: string, slots: number, paceMs: number, seconds: number): Promise<Measured> {
  await using executor = new SandboxExecutor()
  const times: number[] = []
  const begin = performance.now()
  const end = begin + seconds * 1000
  const loop = async (slot: Parameters<typeof executor.execute>[0], index: number) => {
    let next = begin + (index * paceMs) / slots
    while (performance.now() < end) {
      if (paceMs > 0) {
        const pause = next - performance.now()
        if (pause > 0) await Bun.sleep(pause)
        next = Math.max(next + paceMs, performance.now())
      }
      const started = performance.now()
      const result = await executor.execute(slot, 'bash', { command: 'true' })
      if (!result.success) throw new Error(`A call failed: ${result.error}`)
      times.push(performance.now() - started)
    }
  }
  await Promise.all(executor.slots(url, slots).map(loop))
  const perSecond = (times.length * 1000) / (performance.now() - begin)
  times.sort((a, b) => a - b)
  const at = (share: number) => times[Math.floor((times.length - 1) * share)] ?? Number.NaN
  return { perSecond, p50: at(0.5), p95: at(0.95) }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

async function compare(setting: Setting, mode: string, paceMs: number, rounds: number, seconds: number) {
  const { slots } = setting
  const found: Record<Kind, Measured[]> = { bare: [], fresh: [], ready: [] }
  for (let round = 0; round < rounds; round++) {
    // Another order each time, so that none is always the one after a break.
    for (let at = 0; at < kinds.length; at++) {
      const kind = kinds[(round + at) % kinds.length] ?? 'bare'
      const server = await startServer(kind, setting)
      await measure(server.url, slots, paceMs, 0.3)
      found[kind].push(await measure(server.url, slots, paceMs, seconds))
      await server.stop()
    }
  }
  const of = (kind: Kind, key: keyof Measured) => median(found[kind].map((one) => one[key]))
  const measuredOf = (kind: Kind): Measured => ({
    perSecond: of(kind, 'perSecond'),
    p50: of(kind, 'p50'),
    p95: of(kind, 'p95'),
  })
  // Of pairs of the same round: what disturbs one disturbs the other.
  const ratio = (over: Kind, under: Kind, key: keyof Measured) =>
    median(found[over].map((one, at) => one[key] / (found[under][at]?.[key] ?? Number.NaN)))
  return {
    slots,
    mode,
    ...(paceMs === 0 ? {} : { offered: (slots * 1000) / paceMs }),
    bare: measuredOf('bare'),
    fresh: measuredOf('fresh'),
    ready: measuredOf('ready'),
    'ready/bare per s': ratio('ready', 'bare', 'perSecond'),
    'ready/fresh per s': ratio('ready', 'fresh', 'perSecond'),
    'ready/bare p50': ratio('ready', 'bare', 'p50'),
    'fresh/bare p50': ratio('fresh', 'bare', 'p50'),
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '1.5' },
      slots: { type: 'string', default: '1,16,64' },
      'on-disk': { type: 'boolean', default: false },
    },
  })
  const show = (_key: string, value: unknown) =>
    typeof value === 'number' ? Math.round(value * 100) / 100 : value
  for (const slots of values.slots.split(',').map(Number)) {
    const run = async (mode: string, paceMs: number) => {
      const line = await compare(
        { slots, isOnDisk: values['on-disk'] },
        mode,
        paceMs,
        Number(values.rounds),
        Number(values.seconds),
      )
      console.log(JSON.stringify(line, show))
      return line
    }
    const { bare, fresh } = await run('saturated', 0)
    // Where it is more than `bare` can do, it is another saturation.
    if ((slots * 1000) / PACE_MS < bare.perSecond) await run('every 25 ms', PACE_MS)
    await run('a third of bare', (slots * 3000) / bare.perSecond)
    await run('half of fresh', (slots * 2000) / fresh.perSecond)
  }
}

const [command, kind, slots, isOnDisk] = process.argv.slice(2)
if (command === 'serve') await serve(v.parse(v.picklist(kinds), kind), Number(slots), isOnDisk === 'true')
else await main()
