/**
 * Promise 9, the client: a reply of 300 MB, a gzip bomb, a line without end. The server is a process of its own.
 * `bun tests/campaign/client-memory.ts [megabytes]`
 */
import { gzipSync } from 'node:zlib'
import { type ExecutionResult, SandboxExecutor, type Slot } from '../../mod.ts'
import { extendedHealth } from '../support/answer-stream.ts'
import { below, type Check, exactly, type Figure, runAlone } from './check.ts'

const MB = 1_000_000
const chunk = new Uint8Array(MB).fill('a'.charCodeAt(0))

/** So many megabytes after a beginning, one at a time. */
function stream(begin: string, megabytes: number): ReadableStream<Uint8Array> {
  let left = megabytes
  return new ReadableStream(
    {
      start: (controller) => controller.enqueue(new TextEncoder().encode(begin)),
      pull: (controller) => {
        if (left-- > 0) controller.enqueue(chunk)
        else controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}

/** Answers every POST to a base server, or an extended one, with something that is too large. */
function serve(megabytes: number): void {
  const bomb = gzipSync(Buffer.alloc(megabytes * MB))
  const answers: Readonly<Record<string, () => Response>> = {
    reply: () => new Response(stream('{"success":true,"output":"', megabytes)),
    bomb: () => new Response(bomb, { headers: { 'content-encoding': 'gzip' } }),
    line: () => new Response(stream('{"success":true,"output":"', megabytes)),
  }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: ({ method, headers }) => {
      const kind = headers.get('x-kind') ?? ''
      if (method === 'GET') return kind === 'line' ? extendedHealth() : Response.json({ status: 'ok' })
      return answers[kind]?.() ?? new Response('', { status: 404 })
    },
  })
  console.log(server.url.origin)
}

/** The most that this process grew meanwhile, in megabytes. */
async function grownBy(work: () => Promise<unknown>): Promise<number> {
  Bun.gc(true)
  const before = process.memoryUsage.rss()
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 2)
  await work()
  clearInterval(timer)
  return (Math.max(most, process.memoryUsage.rss()) - before) / MB
}

async function call(url: string, kind: string, run: (slot: Slot) => Promise<ExecutionResult>) {
  await using executor = new SandboxExecutor({ headers: { 'x-kind': kind }, retry: { delayMs: 1 } })
  return await run(executor.slots(url, 1)[0])
}

export const clientMemory: Check = {
  name: 'client-memory',
  row: '9',
  unit: 'megabytes',
  sizes: { full: 300, quick: 100 },
  run: async (megabytes) => {
    const argv = [process.execPath, import.meta.path, 'serve', String(megabytes)]
    const child = Bun.spawn(argv, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
    const { value } = await child.stdout.getReader().read()
    const url = new TextDecoder().decode(value).trim()
    const figures: Figure[] = []
    const wrongs: string[] = []
    try {
      // Warm.
      await call(url, 'none', (slot) => slot.bash('x'))
      for (const kind of ['reply', 'bomb', 'line']) {
        let result: ExecutionResult | undefined
        const grown = await grownBy(async () => {
          result = await call(url, kind, (slot) => slot.bash('x'))
          // What was given up may still come.
          await Bun.sleep(1_000)
        })
        figures.push(below(`MB that the client grew by a ${kind}`, grown, 64))
        const { outcome, failure } = result ?? {}
        figures.push(exactly(`told as too large, ${kind}`, failure?.code === 'too-large' ? 1 : 0, 1))
        if (outcome !== 'unknown') wrongs.push(`${kind}: ${outcome}, ${failure?.message}`)
      }
    } finally {
      child.kill()
      await child.exited
    }
    return {
      done: `a reply of ${megabytes} MB, as much as a gzip bomb, and as one line of a stream`,
      figures,
      wrongs,
    }
  },
}

if (import.meta.main) {
  if (process.argv[2] === 'serve') serve(Number(process.argv[3]))
  else await runAlone(clientMemory)
}
