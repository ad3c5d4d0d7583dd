/** The extended protocol: what this server announces of it, and its routes. */

import { describeThrown } from '../../errors.ts'
import { cancelRequest } from '../../protocol/cancel.ts'
import type { ServerCode } from '../../protocol/execution.ts'
import type { Feature } from '../../protocol/health.ts'
import { isJsonObject } from '../../protocol/json-object.ts'
import { baseLimits, ledgerHeader, serverStopping } from '../../protocol/routes.ts'
import { MAX_TIMEOUT, type ServerContext } from '../calls.ts'
import { errorAnswer, json, methodRefusal, refusal } from '../http/answers.ts'
import { readJsonBody } from '../http/read-body.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { check } from '../tools/tool.ts'
import { AnswerStream } from './answer-stream.ts'
import { Executions, type Submitted } from './executions.ts'
import { FilesRoute, filesPrefix } from './files/route.ts'

export interface ExtendedSettings {
  readonly hasToken: boolean
  /** Of a file that is put. */
  readonly maxFileBytes: number
}

export interface ExtendedOptions {
  /** What is announced, and answered. Default: all. */
  readonly features?: readonly Feature[]
  /** How long calls run on when their client has hung up. Default 5,000. */
  readonly detachGraceMs?: number
}

const allFeatures = ['ndjson', 'idempotency', 'cancel', 'detach', 'live-output', 'bash-io', 'files'] as const

const DETACH_GRACE_MS = 5_000

/** Of one batch: enough for every client, and few enough to be written down in one commit. */
const MAX_ITEMS = 4_096

/** A disk that is full may have room again. */
const LEDGER_PAUSE_S = 5

type Answer = (request: Request, onBody?: () => void) => Promise<Response>

export interface ExtendedRoute {
  /** Few names, whatever is asked for. */
  readonly name: string
  readonly answer: Answer
}

export class Extended {
  readonly #context: ServerContext
  readonly #ledger: Ledger
  readonly #features: ReadonlySet<Feature>
  readonly #graceMs: number
  readonly #executions: Executions
  readonly #routes: ReadonlyMap<string, Answer>
  readonly #files: FilesRoute | null

  constructor(
    context: ServerContext,
    ledger: Ledger,
    settings: ExtendedSettings,
    options: ExtendedOptions = {},
  ) {
    this.#context = context
    this.#ledger = ledger
    const { features = allFeatures, detachGraceMs = DETACH_GRACE_MS } = options
    this.#features = new Set(settings.hasToken ? [...features, 'auth' as const] : features)
    this.#graceMs = detachGraceMs
    this.#executions = new Executions(context, ledger, this.#has('detach') ? detachGraceMs : null)
    const routes = new Map<string, Answer>()
    // Without the ledger a stream that was cut could not be asked for again.
    if (this.#has('ndjson') && this.#has('idempotency')) {
      routes.set(
        '/v2/batch',
        posted((request, body) => this.#batch(request, body)),
      )
    }
    if (this.#has('cancel'))
      routes.set(
        '/cancel',
        posted((_request, body) => this.#cancel(body)),
      )
    this.#routes = routes
    this.#files = this.#has('files') ? new FilesRoute(context, settings.maxFileBytes) : null
  }

  #has(feature: Feature): boolean {
    return this.#features.has(feature)
  }

  /** What `GET /health` tells beside what base servers tell. */
  get announcement(): object {
    return {
      protocol: 2,
      features: [...this.#features],
      max_body_bytes: baseLimits.requestBytes,
      max_timeout: MAX_TIMEOUT,
      ...(this.#has('idempotency')
        ? { ledger: this.#ledger.id, ledger_retention: this.#ledger.retentionS }
        : {}),
      ...(this.#has('detach') ? { detach_grace: this.#graceMs / 1000 } : {}),
    }
  }

  /** Who answers at this path; `undefined`: nobody here. */
  at(pathname: string): ExtendedRoute | undefined {
    const files = this.#files
    if (files !== null && pathname.startsWith(filesPrefix)) {
      return { name: '/files', answer: (request, onBody) => this.#file(files, request, onBody) }
    }
    const answer = this.#routes.get(pathname)
    return answer === undefined ? undefined : { name: pathname, answer }
  }

  async #file(files: FilesRoute, request: Request, onBody?: () => void): Promise<Response> {
    const { drain } = this.#context
    if (drain.isOn) return unavailable(drain.retryAfterS, 'server_stopping', serverStopping)
    return await drain.during(files.answer(request, onBody))
  }

  async #batch(request: Request, body: unknown): Promise<Response> {
    const { drain } = this.#context
    const wanted = request.headers.get(ledgerHeader)
    if (drain.isOn) return unavailable(drain.retryAfterS, 'server_stopping', serverStopping)
    if (wanted === null) {
      return refusal(400, 'ledger_required', 'The header If-Ledger is missing: GET /health tells the ledger')
    }
    if (wanted !== this.#ledger.id) {
      return refusal(412, 'ledger_mismatch', `This server has the ledger ${this.#ledger.id}, not ${wanted}`)
    }
    if (!Array.isArray(body)) return refusal(400, 'invalid_request', 'Expected array of requests')
    if (body.length > MAX_ITEMS) {
      return refusal(413, 'too_large', `Cannot take ${body.length} calls: the limit is ${MAX_ITEMS}`)
    }
    return this.#begin(request, body)
  }

  async #begin(request: Request, items: readonly unknown[]): Promise<Response> {
    let submitted: Submitted[]
    try {
      submitted = this.#executions.submit(items)
    } catch (thrown) {
      const error = `Not run: the ledger cannot be written: ${describeThrown(thrown)}`
      return unavailable(LEDGER_PAUSE_S, 'ledger_failed', error)
    }
    const answer = new AnswerStream(submitted, this.#executions, this.#has('live-output'))
    // A client can go before it has begun to read.
    if (request.signal.aborted) answer.leave()
    request.signal.addEventListener('abort', () => answer.leave(), { once: true })
    return new Response(await answer.body(), { headers: { 'content-type': 'application/x-ndjson' } })
  }

  async #cancel(body: unknown): Promise<Response> {
    if (!isJsonObject(body)) return refusal(400, 'invalid_request', 'The request body must be an object')
    const request = check(cancelRequest, body)
    if (!request.ok) return refusal(400, 'invalid_request', request.error)
    return json(await this.#executions.cancel(request.value.execution_ids))
  }
}

/** A route that takes JSON by POST. */
function posted(answer: (request: Request, body: unknown) => Promise<Response>): Answer {
  return async (request, onBody) => {
    if (request.method !== 'POST') return methodRefusal(request, 'POST')
    const max = baseLimits.requestBytes
    const body = await readJsonBody(request, max)
    onBody?.()
    switch (body.kind) {
      case 'invalid':
        return refusal(400, 'invalid_request', 'Invalid JSON')
      case 'too-large':
        return refusal(413, 'too_large', `Cannot take a body of ${body.bytes} bytes: the limit is ${max}`)
      case 'json':
        return answer(request, body.value)
    }
  }
}

function unavailable(retryAfterS: number, code: ServerCode, error: string): Response {
  const answer = errorAnswer(503, error, { code })
  answer.headers.set('retry-after', String(retryAfterS))
  return answer
}
