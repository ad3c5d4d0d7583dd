/** The routes: from a request to an answer. */
import { setImmediate } from 'node:timers/promises'
import { isJsonObject, jsonObject } from '../protocol/json-object.ts'
import type { GetRoute, metricsRoute, PostRoute } from '../protocol/routes.ts'
import { baseLimits, bodyTooLarge, serverStopping } from '../protocol/routes.ts'
import { type ArtifactRoute, archiveRoute, listRoute, readRoute } from './artifacts/routes.ts'
import { answerCall, answerReset, type CallAnswer, type ServerContext } from './calls.ts'
import type { Drain } from './drain.ts'
import { errorAnswer, json, jsonText, plainText } from './http/answers.ts'
import { createDoor, type DoorRules, withCors } from './http/door.ts'
import { readJsonBody } from './http/read-body.ts'
import { metricsType, type ServerMetrics } from './operation/server-metrics.ts'
import { check } from './tools/tool.ts'
import type { Extended } from './v2/extended.ts'

export interface HandlerOptions {
  readonly context: ServerContext
  readonly door: DoorRules
  readonly dataDir: string
  readonly statefulDir: string
  readonly metrics: ServerMetrics
  readonly extended: Extended
}

/** `onBody` is called when the whole request is here: from then on, waiting is for the tool. */
export type Handler = (request: Request, onBody?: () => void) => Promise<Response>

type PostAnswer = (context: ServerContext, body: unknown) => Promise<Response>

const postRoutes: Readonly<Record<PostRoute, PostAnswer>> = {
  '/execute': async (context, body) => answerOne(body, (request) => answerCall(context, request)),
  '/reset': async (context, body) => answerOne(body, (request) => answerReset(context, request)),
  '/batch': answerBatch,
  '/artifacts/read': answerArtifact(readRoute),
  '/artifacts/list': answerArtifact(listRoute),
  '/artifacts/archive': answerArtifact(archiveRoute),
}

type GetAnswer = (options: HandlerOptions) => Response

const getRoutes: Readonly<Record<GetRoute | typeof metricsRoute, GetAnswer>> = {
  '/health': (options) => {
    const { drain } = options.context
    // Pools and load balancers hand out nothing new then.
    return drain.isOn ? stoppingAnswer(drain, health(options, 'stopping')) : json(health(options, 'ok'))
  },
  '/metrics': ({ metrics }) => new Response(metrics.text(), { headers: { 'content-type': metricsType } }),
  '/slots': ({ context }) => json({ slots: context.slots.status() }),
}

function health({ context, dataDir, statefulDir, extended }: HandlerOptions, status: 'ok' | 'stopping') {
  return {
    status,
    slots: context.slots.size,
    available: context.slots.size - context.slots.executing,
    executing: context.slots.executing,
    data_dir: dataDir,
    bwrap_available: context.isolation.kind === 'bubblewrap',
    stateful_dir: statefulDir,
    ...extended.announcement,
  }
}

const posts: ReadonlyMap<string, PostAnswer> = new Map(Object.entries(postRoutes))
const gets: ReadonlyMap<string, GetAnswer> = new Map(Object.entries(getRoutes))

/** A fetch handler that serves the base protocol and the extended one. Never rejects. */
export function createHandler(options: HandlerOptions): Handler {
  const atDoor = createDoor(options.door)
  return async (request, onBody) => {
    const answer = atDoor(request) ?? (await route(options, request, onBody))
    const { pathname } = new URL(request.url)
    const { method } = request
    options.context.tell({
      type: 'request.answered',
      method,
      route: options.extended.at(pathname)?.name ?? routeName(pathname),
      status: answer.status,
    })
    return withCors(request, answer, options.door)
  }
}

/** Few names, whatever is asked for. */
function routeName(pathname: string): string {
  return gets.has(pathname) || posts.has(pathname) ? pathname : 'other'
}

async function route(options: HandlerOptions, request: Request, onBody?: () => void): Promise<Response> {
  const { pathname } = new URL(request.url)
  const extended = options.extended.at(pathname)
  if (extended !== undefined) return await extended.answer(request, onBody)
  const get = gets.get(pathname)
  const post = posts.get(pathname)
  if (get === undefined && post === undefined) return plainText('404: Not Found', 404)
  if (get !== undefined && (request.method === 'GET' || request.method === 'HEAD')) return get(options)
  if (post === undefined || request.method !== 'POST') {
    const allow = post === undefined ? 'GET, HEAD' : 'POST'
    return plainText('405: Method Not Allowed', 405, { allow })
  }
  const body = await readJsonBody(request, baseLimits.requestBytes)
  onBody?.()
  if (body.kind === 'invalid') return errorAnswer(400, 'Invalid JSON')
  if (body.kind === 'too-large') return tooLarge(pathname, body.bytes)
  const { drain } = options.context
  if (drain.isOn)
    return stoppingAnswer(drain, { success: false, error: serverStopping, code: 'server_stopping' })
  return await drain.during(post(options.context, body.value))
}

function stoppingAnswer(drain: Drain, body: object): Response {
  const answer = json(body, 503)
  answer.headers.set('retry-after', String(drain.retryAfterS))
  return answer
}

function tooLarge(pathname: string, bytes: number): Response {
  // Base servers say 500 where it should be 413; clients know them by this sentence.
  if (!pathname.startsWith('/artifacts/')) return errorAnswer(500, bodyTooLarge)
  const max = baseLimits.requestBytes
  return plainText(`Maximum request body size ${max} exceeded, actual body size ${bytes}`, 413)
}

async function answerOne(body: unknown, run: (request: unknown) => Promise<CallAnswer>): Promise<Response> {
  const request = check(jsonObject, body)
  if (!request.ok) return errorAnswer(500, 'The request body must be an object')
  const answer = await run(request.value)
  return answer.refused ? errorAnswer(400, answer.body.error) : json(answer.body)
}

/** After so many items of a batch others get a turn: a body may hold 300,000 of them. */
const ITEMS_PER_TURN = 256

async function answerBatch(context: ServerContext, body: unknown): Promise<Response> {
  if (!Array.isArray(body)) return errorAnswer(400, 'Expected array of requests')
  const items: readonly unknown[] = body
  const wrong = items.findIndex((item) => !isJsonObject(item))
  if (wrong !== -1) return errorAnswer(500, `Item ${wrong} of the batch must be an object`)
  // All begin without waiting for each other: the locks of the slots put those of one slot in their order.
  const answers: Promise<CallAnswer>[] = []
  for (const item of items) {
    answers.push(answerCall(context, item))
    if (answers.length % ITEMS_PER_TURN === 0) await setImmediate()
  }
  const texts: string[] = []
  for (const { body } of await Promise.all(answers)) {
    texts.push(JSON.stringify(body))
    if (texts.length % ITEMS_PER_TURN === 0) await setImmediate()
  }
  return jsonText(`[${texts.join(',')}]`)
}

function answerArtifact(run: ArtifactRoute): PostAnswer {
  return async (context, body) => {
    const answer = await run(context, body)
    return json(answer.body, answer.status)
  }
}
