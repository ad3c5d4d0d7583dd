/** A container in memory whose every answer is given by the test, and an executor on simulated time. */

import * as v from 'valibot'
import { SimulatedClock } from 'xstate'
import {
  createMemoryTransport,
  type SandboxEvent,
  SandboxExecutor,
  type SandboxExecutorOptions,
} from '../../mod.ts'
import { lookMs } from '../../src/executor/aborts.ts'
import { cancelRequest } from '../../src/protocol/cancel.ts'

const item = v.looseObject({
  slot_id: v.string(),
  tool: v.optional(v.string(), ''),
  execution_id: v.optional(v.string(), ''),
  timeout: v.optional(v.number()),
})

/** One call in a received POST. */
export type ReceivedCall = v.InferOutput<typeof item>

/** A POST that the container received. */
export interface ReceivedPost {
  readonly host: string
  readonly route: string
  readonly headers: Headers
  readonly calls: readonly ReceivedCall[]
  /** Gives this answer. */
  answer(response: Response): void
  /** Every call succeeds; its output is its executionId. */
  succeed(): void
  /** The connection breaks. */
  fail(error: Error): void
}

/** A `POST /cancel` that the container received. */
export interface ReceivedCancel {
  readonly ids: readonly string[]
  answer(lists: {
    cancelled?: readonly string[]
    finished?: readonly string[]
    unknown?: readonly string[]
  }): void
  fail(error: Error): void
}

export interface Scripted {
  readonly executor: SandboxExecutor
  readonly clock: SimulatedClock
  /** Aborts, and lets the time pass in which that is seen. */
  giveUp(...controllers: readonly AbortController[]): void
  /** POSTs in the order of arrival. */
  readonly posts: ReceivedPost[]
  /** POSTs to /cancel, in the order of arrival. */
  readonly cancels: ReceivedCancel[]
  readonly events: SandboxEvent[]
  /** What `GET /health` gives; throws for a container that is not there. */
  health: (host: string) => Response | Promise<Response>
  healthChecks: number
  /** Answers every POST at once, those under way too. */
  automatic(): void
  /** From now on the test answers. */
  manual(): void
  [Symbol.asyncDispose](): Promise<void>
}

/** Lets ticks and promises run until nothing moves any more. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** An error as `fetch` gives it when nobody listens. */
export function refused(): Error {
  return Object.assign(new Error('Unable to connect'), { code: 'ConnectionRefused' })
}

export function success(call: ReceivedCall, output = call.execution_id): object {
  return { success: true, output, error: '', execution_id: call.execution_id || null, metadata: {} }
}

export function scripted(options: SandboxExecutorOptions = {}): Scripted {
  const posts: ReceivedPost[] = []
  const cancels: ReceivedCancel[] = []
  const events: SandboxEvent[] = []
  const clock = new SimulatedClock()
  let isAutomatic = false
  const transport = createMemoryTransport(async (request) => {
    const url = new URL(request.url)
    if (request.method === 'GET') {
      script.healthChecks += 1
      return script.health(url.host)
    }
    if (url.pathname === '/cancel') return receiveCancel(request, cancels)
    const post = await receive(url, request)
    posts.push(post.received)
    if (isAutomatic) post.received.succeed()
    return post.response
  })
  const executor = new SandboxExecutor(
    { transport, onEvent: (event) => events.push(event), ...options },
    { clock, random: () => 0.5 },
  )
  const script: Scripted = {
    executor,
    clock,
    giveUp: (...controllers) => {
      for (const controller of controllers) controller.abort()
      clock.increment(lookMs)
    },
    posts,
    cancels,
    events,
    health: () => Response.json({ status: 'ok' }),
    healthChecks: 0,
    automatic: () => {
      isAutomatic = true
      for (const post of posts) post.succeed()
    },
    manual: () => {
      isAutomatic = false
      posts.length = 0
    },
    [Symbol.asyncDispose]: () => executor.close({ graceMs: 0 }),
  }
  return script
}

async function receive(
  url: URL,
  request: Request,
): Promise<{ received: ReceivedPost; response: Promise<Response> }> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const body: unknown = await request.json()
  const calls = v.parse(v.array(item), Array.isArray(body) ? body : [body])
  const received: ReceivedPost = {
    host: url.host,
    route: url.pathname,
    headers: request.headers,
    calls,
    answer: resolve,
    succeed: () => {
      if (url.pathname === '/v2/batch') {
        const lines = [...calls.map((call) => success(call)), { done: true, count: calls.length }]
        resolve(new Response(lines.map((line) => `${JSON.stringify(line)}\n`).join('')))
        return
      }
      const answers = calls.map((call) => success(call))
      resolve(Response.json(Array.isArray(body) ? answers : answers[0]))
    },
    fail: reject,
  }
  return { received, response: promise }
}

async function receiveCancel(request: Request, cancels: ReceivedCancel[]): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  const { execution_ids: ids } = v.parse(cancelRequest, await request.json())
  cancels.push({
    ids,
    answer: (lists) => resolve(Response.json({ cancelled: [], finished: [], unknown: [], ...lists })),
    fail: reject,
  })
  return promise
}
