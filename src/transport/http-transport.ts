/** Floor 2: exchanges over HTTP: ky outward, valibot inward. Browser compatible. */
import ky from 'ky'
import * as v from 'valibot'
import { describeThrown } from '../errors.ts'
import type { Exchange, Streamed, StreamRequest, Transport, TransportRequest } from '../ports/transport.ts'
import { readBounded } from '../protocol/read-bounded.ts'
import { errorSentence, parseJson } from '../protocol/routes.ts'
import { neverConnected } from '../retrying/never-connected.ts'
import { retryAfterMs } from '../retrying/pauses.ts'
import { inflated, isBun, unpacked } from './inflated.ts'

/** The part of `fetch` that is used. */
export type Fetch = (request: Request) => Promise<Response>

/** Options of `createHttpTransport`. */
export interface HttpTransportOptions {
  /** Sent as `Authorization: Bearer …`. */
  readonly token?: string
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the runtime's own. */
  readonly fetch?: Fetch
}

/** What is read of an error's body. */
const errorBytes = 65_536

/**
 * The transport that executors use by default. It retries nothing and has no timeout of its own: both belong to the
 * caller, who knows what is safe.
 *
 * @example
 * ```ts
 * import { createHttpTransport, SandboxExecutor } from 'sandbox-slots'
 * await using executor = new SandboxExecutor({ transport: createHttpTransport({ headers: { 'x-team': 'evals' } }) })
 * ```
 */
export function createHttpTransport(options: HttpTransportOptions = {}): Transport {
  const sender = {
    headers: new Headers({
      ...(isBun && options.fetch === undefined ? { 'accept-encoding': 'gzip' } : {}),
      ...options.headers,
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
    }),
    fetch: fetchWith(options.fetch),
  }
  const json = { ...sender, headers: withHeaders(sender.headers, { 'content-type': 'application/json' }) }
  const senderOf = ({ body }: Pick<Sendable, 'body'>) => (typeof body === 'string' ? json : sender)
  return {
    exchange: (request) => exchange(senderOf(request), request),
    stream: (request) => stream(senderOf(request), request),
  }
}

/** What requests are sent by. */
interface Sender {
  /** Of every request, made once: to merge headers for each is much of what ky takes. */
  readonly headers: Headers
  readonly fetch: (request: Request, init: SentWith) => Promise<Response>
}

/** What a request gets on its way out of ky, which would make a controller of its own and a signal of both. */
interface SentWith {
  readonly headers: Headers
  readonly signal: AbortSignal
}

function fetchWith(handler: Fetch | undefined): Sender['fetch'] {
  if (handler !== undefined) return (request, init) => handler(new Request(request, init))
  return isBun
    ? async (request, init) => inflated(await fetch(request, { ...init, ...unpacked }))
    : (request, init) => fetch(request, init)
}

function withHeaders(headers: Headers, more: Readonly<Record<string, string>>): Headers {
  const all = new Headers(headers)
  for (const [name, value] of Object.entries(more)) all.set(name, value)
  return all
}

async function exchange<T>(sender: Sender, request: TransportRequest<T>): Promise<Exchange<T>> {
  const response = await send(sender, request)
  if (!(response instanceof Response)) return response
  const { status } = response
  try {
    const limit = status === 200 ? request.maxBytes : Math.min(errorBytes, request.maxBytes)
    const text = await readBounded(response, limit)
    if (status !== 200) return httpError(response, text ?? '')
    if (text === undefined) return { kind: 'too-large', status, message: tooLarge(request) }
    return understood(request, status, text)
  } catch (error) {
    if (request.signal.aborted) return { kind: 'aborted' }
    return {
      kind: 'bad-response',
      status,
      message: `The answer was cut: ${describeThrown(error)}`,
      isCut: true,
    }
  }
}

async function stream(sender: Sender, request: StreamRequest): Promise<Streamed> {
  const response = await send(sender, request)
  if (!(response instanceof Response)) return response
  const { status, headers } = response
  if (response.ok) return { kind: 'ok', status, headers, body: response.body ?? new Blob().stream() }
  try {
    return httpError(response, (await readBounded(response, errorBytes)) ?? '')
  } catch (error) {
    if (request.signal.aborted) return { kind: 'aborted' }
    // The status is an answer all the same.
    return httpError(response, `the rest was cut: ${describeThrown(error)}`)
  }
}

/** The exchanges that end before a status. */
type Unanswered = Extract<Exchange<never>, { kind: 'not-sent' | 'broken' | 'aborted' }>

/** What both kinds of requests are made of. */
type Sendable = Pick<StreamRequest, 'method' | 'url' | 'headers' | 'body' | 'signal'>

async function send(sender: Sender, request: Sendable): Promise<Response | Unanswered> {
  const { url, method, body, signal } = request
  const headers =
    request.headers === undefined ? sender.headers : withHeaders(sender.headers, request.headers)
  try {
    // All in one place: an instance of ky's own would merge its options into these, one by one, for each request.
    return await ky(url, {
      method,
      retry: 0,
      timeout: false,
      throwHttpErrors: false,
      redirect: 'manual',
      fetch: (made) => sender.fetch(asRequest(made), { headers, signal }),
      ...(body === undefined ? {} : { body }),
    })
  } catch (error) {
    if (signal.aborted) return { kind: 'aborted' }
    const message = describeThrown(innermost(error))
    return neverConnected(error) ? { kind: 'not-sent', message } : { kind: 'broken', message }
  }
}

/** ky and the runtimes wrap what happened; the innermost error says it. */
function innermost(error: unknown): unknown {
  let current = error
  while (current instanceof Error && current.cause instanceof Error) current = current.cause
  return current
}

function understood<T>(request: TransportRequest<T>, status: number, text: string): Exchange<T> {
  const parsed = v.safeParse(request.schema, parseJson(text))
  if (parsed.success) return { kind: 'ok', status, value: parsed.output }
  const where = v.getDotPath(parsed.issues[0])
  const start = text.length > 80 ? `${text.slice(0, 80)}…` : text
  return {
    kind: 'bad-response',
    status,
    message: `The answer is not what ${request.url} should give${where ? ` (${where})` : ''}: ${start}`,
  }
}

function httpError(response: Response, text: string): Extract<Streamed, { kind: 'http-error' }> {
  const pause = retryAfterMs(response.headers.get('retry-after'), Date.now())
  return {
    kind: 'http-error',
    status: response.status,
    message: errorSentence(text) || response.statusText,
    body: parseJson(text),
    ...(pause === undefined ? {} : { retryAfterMs: pause }),
  }
}

function tooLarge(request: TransportRequest<unknown>): string {
  return `The answer of ${request.url} is larger than ${request.maxBytes} bytes`
}

/** ky hands over the request it made. */
function asRequest(made: RequestInfo | URL): Request {
  return made instanceof Request ? made : new Request(made)
}
