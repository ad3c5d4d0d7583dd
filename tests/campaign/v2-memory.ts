/**
 * What large things cost a server of its own in memory, and how long /health takes meanwhile (promises 9 and 12): a file
 * of 1 GB up and down, 1 GB of output watched live, and 256 large results that their reader does not read.
 *
 *     bun tests/campaign/v2-memory.ts
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { startSandboxServer } from '../../src/server/start-server.ts'
import { command, linesOf, postV2, resultsOf, type Served } from '../server/v2-support.ts'

const GB = 1_000_000_000
const MAX_GROWTH_MB = 64
/** The garbage of 256 large results alone is 55 MB, when they are read at once. */
const MAX_UNREAD_GROWTH_MB = 128

/** The server: it tells how its memory grows, in lines. */
async function serve(dataDir: string): Promise<void> {
  const server = await startSandboxServer({ slots: 2, dataDir, isolation: 'none' })
  let highest = 0
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss())
  }, 5)
  console.log(JSON.stringify({ url: server.url }))
  // Each line that comes asks for the highest memory since the last one.
  for await (const _line of console) {
    Bun.gc(true)
    console.log(JSON.stringify({ highest, now: process.memoryUsage.rss() }))
    highest = 0
  }
  clearInterval(watch)
  await server.stop()
}

async function startServer(dataDir: string) {
  const argv = [process.execPath, import.meta.path, 'serve', dataDir]
  const child = Bun.spawn(argv, { stdin: 'pipe', stdout: 'pipe', stderr: 'inherit' })
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader()
  const said = async () => JSON.parse((await lines.read()).value ?? '')
  const { url } = v.parse(v.object({ url: v.string() }), await said())
  const memory = async () => {
    child.stdin.write('\n')
    await child.stdin.flush()
    return v.parse(v.object({ highest: v.number(), now: v.number() }), await said())
  }
  const stop = async () => {
    child.stdin.end()
    await child.exited
  }
  return { url, memory, stop }
}

async function campaign(place: string): Promise<void> {
  const { url, memory, stop } = await startServer(join(place, 'data'))
  const served: Served = { handler: fetch, url }
  const source = join(place, 'source')
  await Bun.$`head -c ${GB} /dev/urandom > ${source}`
  const hash = (await Bun.$`sha256sum < ${source}`.text()).slice(0, 64)

  const measure = async (name: string, work: () => Promise<string>, maxGrowthMb = MAX_GROWTH_MB) => {
    const before = (await memory()).now
    const waits: number[] = []
    const watch = setInterval(async () => {
      const begin = performance.now()
      await (await fetch(`${url}/health`)).text()
      waits.push(performance.now() - begin)
    }, 20)
    const begin = performance.now()
    const told = await work()
    const seconds = (performance.now() - begin) / 1000
    clearInterval(watch)
    const grown = ((await memory()).highest - before) / 1_000_000
    waits.sort((a, b) => a - b)
    const p99 = waits[Math.floor(waits.length * 0.99)] ?? Number.NaN
    console.log(
      `${name}: ${told}, ${seconds.toFixed(1)} s, RSS of the server grew ${grown.toFixed(1)} MB, /health p99 ${p99.toFixed(1)} ms`,
    )
    if (grown >= maxGrowthMb || told.startsWith('WRONG')) process.exitCode = 1
  }

  // Warm.
  await resultsOf(await postV2(served, '/v2/batch', [command('warm', 'head -c 20000000 /dev/zero')]))
  const target = `${url}/files/slot_0/big`
  await measure('1 GB up', async () => {
    const answer = await Bun.$`curl -s -T ${source} ${target}`.json()
    return answer.sha256 === hash ? 'sha256 equal' : `WRONG: ${JSON.stringify(answer)}`
  })
  await measure('1 GB down', async () => {
    const got = (await Bun.$`curl -s ${target} | sha256sum`.text()).slice(0, 64)
    return got === hash ? 'sha256 equal' : 'WRONG sha256'
  })
  await measure('1 GB of output, watched', async () => {
    const response = await postV2(served, '/v2/batch', [
      command('loud', `yes 0123456789 | head -c ${GB}`, { live: true, timeout: 200 }),
    ])
    let [bytes, lines] = [0, 0]
    for await (const line of linesOf(response)) {
      if (line.kind !== 'live') continue
      lines += 1
      bytes += line.value.data.length
    }
    return `${(bytes / 1_000_000).toFixed(0)} MB in ${lines} lines reached the reader`
  })
  await measure(
    '256 results of 170 kB, unread',
    async () => {
      const text = 'head -c 60000 /dev/zero | tr "\\0" x; head -c 60000 /dev/zero | tr "\\0" y >&2'
      const items = Array.from({ length: 256 }, (_, at) =>
        command(`large${at}`, text, { slot_id: `slot_${at % 2}` }),
      )
      const unread = await postV2(served, '/v2/batch', items)
      const last = [command('last0', 'true'), command('last1', 'true', { slot_id: 'slot_1' })]
      await resultsOf(await postV2(served, '/v2/batch', last))
      return `${(await resultsOf(unread)).length} read in the end`
    },
    MAX_UNREAD_GROWTH_MB,
  )
  await stop()
}

if (process.argv[2] === 'serve') await serve(process.argv[3] ?? '')
else {
  const place = mkdtempSync(join(tmpdir(), 'v2-memory-'))
  try {
    await campaign(place)
  } finally {
    rmSync(place, { recursive: true })
  }
}
