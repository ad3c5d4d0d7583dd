/**
 * Promise 12: how long /health takes while the server archives a tree of 1 GB, and while commands print 1 GB, watched and
 * not. `bun tests/campaign/health-latency.ts [megabytes]`
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { command, linesOf, postV2, type Served } from '../server/v2-support.ts'
import { startServe } from '../support/serve-process.ts'
import { atLeast, below, type Check, type Figure, type Findings, runAlone } from './check.ts'

const goalMs = 50

/** A tree of random bytes, which do not compress, in directories of 16 files. */
async function makeTree(root: string, megabytes: number): Promise<void> {
  const chunk = new Uint8Array(1_000_000)
  for (let offset = 0; offset < chunk.length; offset += 65_536) {
    crypto.getRandomValues(chunk.subarray(offset, offset + 65_536))
  }
  for (let index = 0; index < megabytes; index++) {
    const parent = join(root, `tree/d${Math.floor(index / 16)}`)
    mkdirSync(parent, { recursive: true })
    await Bun.write(join(parent, `f${index}`), chunk)
  }
}

/** How long /health took while something was done, in milliseconds, in order; asked by a process that does only that. */
async function waitsDuring(served: Served, work: () => Promise<unknown>): Promise<number[]> {
  const argv = [process.execPath, import.meta.path, 'ask', `${served.url}/health`]
  const asker = Bun.spawn(argv, { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' })
  const lines = asker.stdout.pipeThrough(new TextDecoderStream()).getReader()
  // Its first word: it asks from now on.
  await lines.read()
  await work()
  await asker.stdin.end()
  let text = ''
  for (let part = await lines.read(); !part.done; part = await lines.read()) text += part.value
  return v.parse(v.array(v.number()), JSON.parse(text))
}

/** The process that asks; ends with its stdin, and prints how long each answer took. */
async function ask(url: string): Promise<void> {
  const waits: number[] = []
  let isWanted = true
  void Bun.stdin.text().then(() => {
    isWanted = false
  })
  console.log('ready')
  while (isWanted) {
    const asked = performance.now()
    await (await fetch(url)).json()
    waits.push(performance.now() - asked)
    await Bun.sleep(2)
  }
  console.log(JSON.stringify(waits.sort((a, b) => a - b)))
}

async function measure(directory: string, megabytes: number): Promise<Findings> {
  await using server = await startServe(['--slots', '4', '--data-dir', directory])
  const served: Served = { handler: fetch, url: server.url }
  await makeTree(join(directory, 'slot_0'), megabytes)
  const archive = async () => {
    const body = JSON.stringify({ slot_id: 'slot_0', path: 'tree' })
    const headers = { 'content-type': 'application/json' }
    const answer = fetch(`${server.url}/artifacts/archive`, { method: 'POST', headers, body, timeout: false })
    await (await answer).text()
  }
  const print = async (slot_id: string, live: boolean) => {
    const text = `head -c ${megabytes}000000 /dev/zero | tr '\\0' x`
    const item = command(crypto.randomUUID(), text, { slot_id, live, timeout: 600 })
    let counted: unknown
    for await (const line of linesOf(await postV2(served, '/v2/batch', [item])))
      if (line.kind === 'result') counted = line.value.metadata.stdout_bytes
    if (counted !== megabytes * 1_000_000) wrongs.push(`${counted} bytes were printed`)
  }
  const wrongs: string[] = []
  const figures: Figure[] = []
  const told: string[] = []
  const during = async (name: string, work: () => Promise<unknown>) => {
    const waits = await waitsDuring(served, work)
    const at = (share: number) =>
      waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? Number.NaN
    told.push(`${name}: ${waits.length} times, p50 ${at(0.5).toFixed(1)}, most ${at(1).toFixed(1)} ms`)
    figures.push(below(`ms p99 of /health, ${name}`, at(0.99), goalMs))
    figures.push(atLeast(`times asked, ${name}`, waits.length, 20))
  }
  await during('archiving', archive)
  await during('printing', () => print('slot_1', false))
  await during('printing, watched live', () => print('slot_2', true))
  await during('archiving and printing', () => Promise.all([archive(), print('slot_1', false)]))
  return { done: `${megabytes} MB each; ${told.join('; ')}`, figures, wrongs }
}

export const healthLatency: Check = {
  name: 'health-latency',
  row: '12',
  unit: 'megabytes',
  sizes: { full: 1_000, quick: 400 },
  run: async (megabytes) => {
    const directory = mkdtempSync(join(tmpdir(), 'health-latency-'))
    try {
      return await measure(directory, megabytes)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
}

if (import.meta.main) {
  const [word, url] = process.argv.slice(2)
  if (word === 'ask') await ask(String(url))
  else await runAlone(healthLatency)
}
