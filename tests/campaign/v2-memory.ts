/**
 * Promise 9: what large things cost a server of its own in memory: a file of 1 GB up and down, 1 GB of output watched
 * live, and 256 large results that their reader does not read. `bun tests/campaign/v2-memory.ts [megabytes]`
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { startSandboxServer } from '../../src/server/start-server.ts'
import { command, linesOf, postV2, resultsOf, type Served } from '../server/v2-support.ts'
import { below, type Check, type Figure, type Findings, runAlone } from './check.ts'

const MB = 1_000_000
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

async function largeThings(place: string, megabytes: number): Promise<Findings> {
  const size = megabytes * MB
  const figures: Figure[] = []
  const wrongs: string[] = []
  const done: string[] = []
  const { url, memory, stop } = await startServer(join(place, 'data'))
  const served: Served = { handler: fetch, url }
  const source = join(place, 'source')
  await Bun.$`head -c ${size} /dev/urandom > ${source}`
  const hash = (await Bun.$`sha256sum < ${source}`.text()).slice(0, 64)

  const measure = async (
    name: string,
    work: () => Promise<string | undefined>,
    maxGrowthMb = MAX_GROWTH_MB,
  ) => {
    const before = (await memory()).now
    const begin = performance.now()
    const told = await work()
    const seconds = (performance.now() - begin) / 1000
    const grown = ((await memory()).highest - before) / MB
    done.push(`${name} in ${seconds.toFixed(1)} s`)
    figures.push(below(`MB that the server grew by ${name}`, grown, maxGrowthMb))
    if (told !== undefined) wrongs.push(`${name}: ${told}`)
  }

  // Warm.
  await resultsOf(await postV2(served, '/v2/batch', [command('warm', 'head -c 20000000 /dev/zero')]))
  const target = `${url}/files/slot_0/big`
  await measure(`${megabytes} MB up`, async () => {
    const answer = await Bun.$`curl -s -T ${source} ${target}`.json()
    return answer.sha256 === hash ? undefined : `another sha256: ${JSON.stringify(answer)}`
  })
  await measure(`${megabytes} MB down`, async () => {
    const got = (await Bun.$`curl -s ${target} | sha256sum`.text()).slice(0, 64)
    return got === hash ? undefined : `another sha256: ${got}`
  })
  await measure(`${megabytes} MB of output, watched live`, async () => {
    const response = await postV2(served, '/v2/batch', [
      command('loud', `yes 0123456789 | head -c ${size}`, { live: true, timeout: 200 }),
    ])
    let counted = 0
    for await (const line of linesOf(response))
      if (line.kind === 'result') counted = Number(line.value.metadata.stdout_bytes)
    return counted === size ? undefined : `${counted} bytes were counted`
  })
  await measure(
    '256 results of 170 kB that nobody reads',
    async () => {
      const text = 'head -c 60000 /dev/zero | tr "\\0" x; head -c 60000 /dev/zero | tr "\\0" y >&2'
      const items = Array.from({ length: 256 }, (_, at) =>
        command(`large${at}`, text, { slot_id: `slot_${at % 2}` }),
      )
      const unread = await postV2(served, '/v2/batch', items)
      const last = [command('last0', 'true'), command('last1', 'true', { slot_id: 'slot_1' })]
      await resultsOf(await postV2(served, '/v2/batch', last))
      const { length } = await resultsOf(unread)
      return length === 256 ? undefined : `${length} were read in the end`
    },
    MAX_UNREAD_GROWTH_MB,
  )
  await stop()
  return { done: done.join(', '), figures, wrongs }
}

export const v2Memory: Check = {
  name: 'v2-memory',
  row: '9',
  unit: 'megabytes',
  sizes: { full: 1_000, quick: 150 },
  run: async (megabytes) => {
    const place = mkdtempSync(join(tmpdir(), 'v2-memory-'))
    try {
      return await largeThings(place, megabytes)
    } finally {
      rmSync(place, { recursive: true })
    }
  },
}

if (import.meta.main) await (process.argv[2] === 'serve' ? serve(process.argv[3] ?? '') : runAlone(v2Memory))
