/**
 * An extended server in memory, for tests of the client: `/v2/batch` with a ledger, `/cancel` and live output. What a
 * call does is the test's. `replace` makes it another server at the same address.
 */
import * as v from 'valibot'
import { extendedBatchRequest } from '../../src/protocol/batch.ts'
import { cancelRequest } from '../../src/protocol/cancel.ts'
import type { Feature } from '../../src/protocol/health.ts'
import { ledgerHeader } from '../../src/protocol/routes.ts'
import { MemoryLedger, type Run } from './memory-ledger.ts'

export const allFeatures: readonly Feature[] = [
  'ndjson',
  'idempotency',
  'cancel',
  'detach',
  'live-output',
  'bash-io',
  'files',
]

export interface ExtendedServerOptions {
  /** Default: all but `auth`. */
  readonly features?: readonly Feature[]
  /** Runs a call. Default: its output is `ran`. */
  readonly run?: Run
}

export interface ExtendedServer extends AsyncDisposable {
  readonly url: string
  /** Routes of the POSTs that came whole, in order. */
  readonly posts: readonly string[]
  /** How often an executionId has run, on whichever server. */
  ran(executionId: string): number
  /** From now on it is a base server, or one whose ledger is empty. */
  replace(by: 'base' | 'empty'): void
  /** Without a port. */
  readonly handler: (request: Request) => Promise<Response>
}

export function startExtendedServer(options: ExtendedServerOptions = {}): ExtendedServer {
  const state = new ServerState(options)
  const handler = (request: Request) => state.handle(request)
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, idleTimeout: 0, fetch: handler })
  return {
    url: server.url.origin,
    posts: state.posts,
    ran: (executionId) => state.ran(executionId),
    replace: (by) => state.replace(by),
    handler,
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

class ServerState {
  readonly posts: string[] = []
  readonly files = new Map<string, Uint8Array<ArrayBuffer>>()
  readonly #run: Run
  readonly #features: readonly Feature[]
  readonly #ledgers: MemoryLedger[]
  #isBase = false

  constructor({ features = allFeatures, run = () => ({ output: 'ran' }) }: ExtendedServerOptions) {
    this.#features = features
    this.#run = run
    this.#ledgers = [new MemoryLedger(run)]
  }

  ran(executionId: string): number {
    return this.#ledgers.reduce((sum, { executions }) => sum + (executions.get(executionId) ?? 0), 0)
  }

  replace(by: 'base' | 'empty'): void {
    this.#isBase = by === 'base'
    this.#ledgers.push(new MemoryLedger(this.#run))
  }

  async handle(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/files/')) return this.#file(pathname, request)
    if (request.method === 'GET') return pathname === '/health' ? Response.json(this.#health()) : notFound()
    const body: unknown = await request.json()
    this.posts.push(pathname)
    if (pathname === '/execute' || pathname === '/batch') return this.#base(body)
    if (this.#isBase) return notFound()
    if (pathname === '/cancel') {
      return Response.json(await this.#ledger.cancel(v.parse(cancelRequest, body).execution_ids))
    }
    if (pathname !== '/v2/batch') return notFound()
    if (request.headers.get(ledgerHeader) !== this.#ledgerId) {
      return Response.json(
        { success: false, error: 'Another ledger', code: 'ledger_mismatch' },
        { status: 412 },
      )
    }
    return this.#stream(v.parse(extendedBatchRequest, body))
  }

  get #ledger(): MemoryLedger {
    const ledger = this.#ledgers.at(-1)
    if (ledger === undefined) throw new Error('There is always a ledger')
    return ledger
  }

  get #ledgerId(): string {
    return `ledger-${this.#ledgers.length}`
  }

  #health(): object {
    if (this.#isBase) return { status: 'ok' }
    return { status: 'ok', protocol: 2, ledger: this.#ledgerId, features: this.#features }
  }

  async #file(path: string, request: Request): Promise<Response> {
    if (request.method === 'PUT') this.files.set(path, await request.bytes())
    const content = this.files.get(path)
    if (content === undefined)
      return Response.json({ success: false, error: 'File not found' }, { status: 404 })
    const etag = `"${new Bun.CryptoHasher('sha256').update(content).digest('hex')}"`
    return new Response(request.method === 'PUT' ? '{"success":true}' : content, { headers: { etag } })
  }

  async #base(body: unknown): Promise<Response> {
    const calls = v.parse(extendedBatchRequest, Array.isArray(body) ? body : [body])
    const answers = await Promise.all(calls.map((call) => this.#ledger.execute(call, () => {})))
    return Response.json(Array.isArray(body) ? answers : answers[0])
  }

  #stream(calls: v.InferOutput<typeof extendedBatchRequest>): Response {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(undefined, undefined, {
      highWaterMark: 1024 * 1024,
    })
    const writer = writable.getWriter()
    // A client that has hung up stops nothing.
    const line = (value: object) =>
      void writer.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`)).catch(() => {})
    const answers = calls.map(async (call) => {
      line(
        await this.#ledger.execute(call, (printed) => {
          if (call.live === true) line(printed)
        }),
      )
    })
    void Promise.all(answers).then(() => {
      line({ done: true, count: calls.length })
      writer.close().catch(() => {})
    })
    return new Response(readable, { headers: { 'content-type': 'application/x-ndjson' } })
  }
}

function notFound(): Response {
  return new Response('404: Not Found', { status: 404 })
}
