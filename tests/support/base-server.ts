/**
 * A base-level server for tests of the client: no tools, but a witness. What a call does is the test's; the rest is as
 * on a real base server: one call at a time in a slot, a batch is answered when its slowest call has ended, a client
 * that hangs up stops nothing, a body over 1 MiB is refused with status 500, and an id that comes twice runs twice.
 */
import { basename } from 'node:path'
import * as v from 'valibot'
import { baseLimits, bodyTooLarge } from '../../src/protocol/routes.ts'

const callBody = v.looseObject({
  slot_id: v.string(),
  tool: v.optional(v.string(), ''),
  args: v.optional(v.record(v.string(), v.unknown()), {}),
  execution_id: v.nullish(v.string(), ''),
  timeout: v.optional(v.number()),
})

/** One call that came. */
export type BaseCall = v.InferOutput<typeof callBody>

/** What a server answers to a call. */
export interface BaseAnswer {
  readonly success?: boolean
  readonly output?: string
  readonly error?: string
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** One POST that came whole. */
export interface BasePost {
  readonly index: number
  readonly route: string
  readonly calls: readonly BaseCall[]
  readonly bytes: number
  readonly headers: Headers
}

export interface BaseServerOptions {
  readonly slots?: number
  /** Runs a call. Default: its output is `ran`. Await something in here, and the call takes so long. */
  readonly run?: (call: BaseCall) => BaseAnswer | Promise<BaseAnswer>
  /** Answers a POST before anything of it runs. */
  readonly refuse?: (post: BasePost) => Response | undefined | Promise<Response | undefined>
  /** Answers a POST after all of it has run; `answers` are what would be sent. */
  readonly respond?: (post: BasePost, answers: readonly unknown[]) => Response | undefined
  /** Answers `GET /health` in place of the server. */
  readonly health?: () => Response | Promise<Response>
  readonly maxBodyBytes?: number
  /** Lets web pages in. */
  readonly cors?: boolean
}

export interface BaseServer extends AsyncDisposable {
  readonly url: string
  readonly addr: string
  /** POSTs in the order in which they came. */
  readonly posts: readonly BasePost[]
  /** The witness: how often each executionId has run. */
  readonly executions: ReadonlyMap<string, number>
  readonly healthChecks: number
  stop(): Promise<void>
}

const corsHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': '*',
  'access-control-allow-methods': 'GET, POST',
}

export function startBaseServer(options: BaseServerOptions = {}): BaseServer {
  const base = new BaseState(options)
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    maxRequestBodySize: 64 * 1024 * 1024,
    fetch: async (request) => {
      const response = request.method === 'OPTIONS' ? new Response() : await base.handle(request)
      if (options.cors)
        for (const [name, value] of Object.entries(corsHeaders)) response.headers.set(name, value)
      return response
    },
  })
  const stop = () => server.stop(true)
  return {
    url: server.url.origin,
    addr: server.url.host,
    posts: base.posts,
    executions: base.executions,
    get healthChecks() {
      return base.healthChecks
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

class BaseState {
  readonly posts: BasePost[] = []
  readonly executions = new Map<string, number>()
  healthChecks = 0
  readonly #options: BaseServerOptions
  /** The last call of each slot. */
  readonly #locks = new Map<string, Promise<unknown>>()
  #executing = 0

  constructor(options: BaseServerOptions) {
    this.#options = options
  }

  async handle(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (request.method === 'POST') return this.#post(request, pathname)
    if (pathname !== '/health') return new Response('404: Not Found', { status: 404 })
    this.healthChecks += 1
    return this.#options.health?.() ?? Response.json(this.#status())
  }

  #status(): object {
    const { slots = 64 } = this.#options
    const executing = this.#executing
    return {
      status: 'ok',
      slots,
      available: slots - executing,
      executing,
      data_dir: '/data',
      bwrap_available: true,
      stateful_dir: '/stateful',
    }
  }

  async #post(request: Request, route: string): Promise<Response> {
    const text = await request.text()
    const body: unknown = parsed(text)
    const calls = v.safeParse(v.array(callBody), Array.isArray(body) ? body : [body])
    const bytes = Buffer.byteLength(text)
    const post = {
      index: this.posts.length,
      route,
      calls: calls.success ? calls.output : [],
      bytes,
      headers: request.headers,
    }
    this.posts.push(post)
    const { refuse, respond, maxBodyBytes = baseLimits.requestBytes } = this.#options
    const refusal = await refuse?.(post)
    if (refusal !== undefined) return refusal
    if (bytes > maxBodyBytes) return failure(500, bodyTooLarge)
    if (body === undefined) return failure(400, 'Invalid JSON')
    if (!calls.success) return failure(500, `bad ${basename(route)} body`)
    const answers = await Promise.all(post.calls.map((call) => this.#inSlot(call)))
    return respond?.(post, answers) ?? Response.json(Array.isArray(body) ? answers : answers[0])
  }

  #inSlot(call: BaseCall): Promise<unknown> {
    const answer = (this.#locks.get(call.slot_id) ?? Promise.resolve()).then(() => this.#run(call))
    this.#locks.set(call.slot_id, answer)
    return answer
  }

  async #run(call: BaseCall): Promise<unknown> {
    const id = call.execution_id ?? ''
    this.executions.set(id, (this.executions.get(id) ?? 0) + 1)
    this.#executing += 1
    try {
      const { success = true, output = '', error = '', metadata = {} } = await this.#answer(call)
      return { success, output, error, execution_id: id === '' ? null : id, metadata }
    } finally {
      this.#executing -= 1
    }
  }

  async #answer(call: BaseCall): Promise<BaseAnswer> {
    return this.#options.run === undefined ? { output: 'ran' } : this.#options.run(call)
  }
}

function failure(status: number, error: string): Response {
  return Response.json({ success: false, error }, { status })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
