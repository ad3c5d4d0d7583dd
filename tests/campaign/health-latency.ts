/**
 * Rows 9 and 12, long form: `bun tests/campaign/health-latency.ts [megabytes]`. How long /health takes while the server
 * archives a tree of 1 GB and a command prints 1 GB, and how much memory the server takes for that.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const megabytes = Number(process.argv[2] ?? 1_000)
const goalMs = 50
const directory = mkdtempSync(join(tmpdir(), 'health-latency-'))
const isolation = Bun.which('bwrap') === null ? 'none' : 'bubblewrap'
const main = resolve(import.meta.dir, '../../src/cli/main.ts')
const server = Bun.spawn(
  [process.execPath, main, 'serve', '--slots', '4', '--data-dir', directory, '--isolation', isolation],
  { stdout: 'pipe', stderr: 'inherit' },
)

/** A tree of random bytes, which do not compress, in directories of 16 files. */
async function makeTree(root: string): Promise<void> {
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

const residentMB = () =>
  (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) * 1_024) / 1e6

function quantile(sorted: readonly number[], share: number): string {
  return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(1)
}

async function measure(url: string, name: string, work: () => Promise<string>): Promise<boolean> {
  const times: number[] = []
  let isWorking = true
  const before = residentMB()
  let peak = before
  const began = performance.now()
  const done = work().finally(() => {
    isWorking = false
  })
  while (isWorking) {
    const asked = performance.now()
    await (await fetch(`${url}/health`)).json()
    times.push(performance.now() - asked)
    peak = Math.max(peak, residentMB())
    await Bun.sleep(2)
  }
  const answer = await done
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  times.sort((a, b) => a - b)
  const [p50, p99, max] = [quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1)]
  console.log(
    `${name}: ${seconds} s, /health ${times.length} times: p50 ${p50} ms, p99 ${p99} ms, max ${max} ms`,
  )
  console.log(
    `  server memory ${before.toFixed(0)} MB, at most ${(peak - before).toFixed(0)} MB more; ${answer}`,
  )
  return Number(p99) < goalMs
}

try {
  const reader = server.stdout.getReader()
  const url = new TextDecoder().decode((await reader.read()).value).trim()
  await makeTree(join(directory, 'slot_0'))
  const post = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url + path, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
      timeout: false,
    })
    return `${response.status} ${(await response.text()).slice(0, 90)}`
  }
  const archive = () => post('/artifacts/archive', { slot_id: 'slot_0', path: 'tree' })
  const print = () =>
    post('/execute', {
      slot_id: 'slot_1',
      tool: 'bash',
      args: { command: `head -c ${megabytes}000000 /dev/zero | tr '\\0' x` },
      timeout: 600,
    })
  const both = async () => (await Promise.all([archive(), print()])).join('\n  ')
  const met = [
    await measure(url, 'nothing else', async () => {
      await Bun.sleep(3_000)
      return 'idle'
    }),
    await measure(url, `a tree of ${megabytes} MB archived`, archive),
    await measure(url, `${megabytes} MB printed`, print),
    await measure(url, 'both at once', both),
  ]
  console.log(`goal, p99 below ${goalMs} ms: ${met.every(Boolean) ? 'met' : 'missed'}`)
  if (!met.every(Boolean)) process.exitCode = 1
} finally {
  server.kill('SIGTERM')
  await server.exited
  rmSync(directory, { recursive: true })
}
