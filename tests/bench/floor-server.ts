/**
 * The floor: a server that executes nothing and answers at once, base-level, and below `/extended` with the extended
 * protocol, which answers in one write too. As a program it listens in its own process,
 * tells its address in one line, and ends when its standard input does.
 */
import { fileURLToPath } from 'node:url'
import * as v from 'valibot'

interface Counts {
  readonly posts: number
  readonly calls: number
}

export interface FloorServer extends AsyncDisposable {
  readonly url: string
  /** What it has received so far. */
  counts(): Promise<Counts>
}

const call = v.object({ execution_id: v.string() })
const health = { status: 'ok', slots: 65_536, available: 65_536, executing: 0 }
const extendedHealth = { ...health, protocol: 2, ledger: 'floor', features: ['ndjson', 'idempotency'] }
const counted = v.object({ posts: v.number(), calls: v.number() })

/** Starts the floor server in a process of its own. */
export async function spawnFloorServer(): Promise<FloorServer> {
  const child = Bun.spawn([process.execPath, fileURLToPath(import.meta.url)], {
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const url = await firstLine(child.stdout)
  return {
    url,
    counts: async () => v.parse(counted, await (await fetch(`${url}/counts`)).json()),
    [Symbol.asyncDispose]: async () => {
      await child.stdin.end()
      await child.exited
    },
  }
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stream) {
    text += decoder.decode(chunk, { stream: true })
    if (text.includes('\n')) return text.trim()
  }
  throw new Error('The floor server did not start')
}

function listen(): void {
  const counts = { posts: 0, calls: 0 }
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    routes: {
      '/health': () => Response.json(health),
      '/counts': () => Response.json(counts),
      '/extended/health': () => Response.json(extendedHealth),
      '/extended/v2/batch': async (request) => {
        const items: unknown = await request.json()
        const list = Array.isArray(items) ? items : []
        counts.posts += 1
        counts.calls += list.length
        const lines = [...list.map(answer), { done: true, count: list.length }]
        return new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join(''), {
          headers: { 'content-type': 'application/x-ndjson' },
        })
      },
      '/execute': async (request) => {
        counts.posts += 1
        counts.calls += 1
        return Response.json(answer(await request.json()))
      },
      '/batch': async (request) => {
        const items: unknown = await request.json()
        const list = Array.isArray(items) ? items : []
        counts.posts += 1
        counts.calls += list.length
        return Response.json(list.map(answer))
      },
    },
  })
  console.log(server.url.origin)
  process.stdin.on('end', () => void server.stop(true))
  process.stdin.resume()
}

function answer(item: unknown): object {
  const execution_id = v.is(call, item) ? item.execution_id : null
  return { success: true, output: 'done', error: '', execution_id, metadata: { exit_code: 0 } }
}

if (import.meta.main) listen()
