/** Floor 2: one question to Nomad's HTTP API: ky outward, valibot inward. Browser compatible. */
import ky, { type KyInstance, type Options } from 'ky'
import * as v from 'valibot'
import { describeThrown } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import { address } from '../protocol/address.ts'
import { readBounded } from '../protocol/read-bounded.ts'
import { errorSentence, parseJson } from '../protocol/routes.ts'
import { functionOf, text } from '../usage.ts'
import { NomadError } from './nomad-error.ts'
import { withinTime } from './time.ts'

/** How Nomad is reached. */
export interface NomadAccess {
  /** Where its HTTP API is, as in `http://127.0.0.1:4646`; `https:` for TLS. */
  readonly url: string
  /** An ACL token, sent as `X-Nomad-Token`. */
  readonly token?: string
  /** Default: the token's, which is `default`. */
  readonly namespace?: string
  /** Default: that of the server that answers. */
  readonly region?: string
  /** Instead of the runtime's own. */
  readonly fetch?: (request: Request) => Promise<Response>
}

/** The fields of {@link NomadAccess}, to be checked. */
export const accessFields = {
  url: address,
  token: v.exactOptional(text),
  namespace: v.exactOptional(text),
  region: v.exactOptional(text),
  fetch: v.exactOptional(functionOf<(request: Request) => Promise<Response>>()),
}

/** One question. */
export interface NomadQuestion<T> {
  /** What is asked, after "Cannot", as in `list the allocations of job sandbox`. */
  readonly action: string
  readonly method: 'GET' | 'POST' | 'PUT'
  /** Without the leading `/v1/`; its parts are encoded already. */
  readonly path: string
  readonly query?: Readonly<Record<string, string>>
  readonly body?: object
  /** What the JSON of an answer must satisfy. */
  readonly schema: v.GenericSchema<unknown, T>
  /** How long Nomad may hold the answer back, in milliseconds, beyond what any answer may take. Default 0. */
  readonly heldMs?: number
}

export interface NomadAnswer<T> {
  readonly value: T
  /** `X-Nomad-Index`: 0 when it is missing. */
  readonly index: number
}

/** What an answer may take, beyond the time for which it is held back. */
const patienceMs = 10_000
/** Thousands of allocations with their events. */
const answerBytes = 64 * 1024 * 1024
const errorBytes = 65_536

/** Statuses, beside all of 5xx, that ask to come back later. */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429])

/** Asks Nomad. Everything rejects with a {@link NomadError}, or with the signal's reason. */
export class NomadClient {
  readonly #ky: KyInstance
  readonly #url: string
  readonly #query: Readonly<Record<string, string>>
  readonly #clock: Clock

  constructor({ url, token, namespace, region, fetch }: NomadAccess, clock: Clock) {
    this.#url = url
    this.#clock = clock
    this.#query = { ...(namespace && { namespace }), ...(region && { region }) }
    this.#ky = ky.create({
      retry: 0,
      timeout: false,
      throwHttpErrors: false,
      redirect: 'manual',
      headers: token === undefined ? {} : { 'x-nomad-token': token },
      ...fetchOption(fetch),
    })
  }

  async ask<T>(question: NomadQuestion<T>, signal: AbortSignal): Promise<NomadAnswer<T>> {
    try {
      return await withinTime(this.#clock, patienceMs + (question.heldMs ?? 0), signal, (limited) =>
        this.#exchange(question, limited),
      )
    } catch (thrown) {
      signal.throwIfAborted()
      if (thrown instanceof NomadError) throw thrown
      throw new NomadError(this.#sentence(question, describeThrown(causeOf(thrown))), true, undefined, {
        cause: thrown,
      })
    }
  }

  async #exchange<T>(question: NomadQuestion<T>, signal: AbortSignal): Promise<NomadAnswer<T>> {
    const { method, path, query, body, schema } = question
    const response = await this.#ky(`${this.#url}/v1/${path}`, {
      method,
      signal,
      searchParams: { ...this.#query, ...query },
      ...(body === undefined ? {} : { json: body }),
    })
    if (!response.ok) throw await this.#refusal(question, response)
    const content = await readBounded(response, answerBytes)
    const fail = (reason: string) => new NomadError(this.#sentence(question, reason), false, response.status)
    if (content === undefined) throw fail(`the answer is larger than ${answerBytes} bytes`)
    const parsed = v.safeParse(schema, parseJson(content))
    if (parsed.success) return { value: parsed.output, index: indexOf(response) }
    const where = v.getDotPath(parsed.issues[0])
    const start = content.length > 80 ? `${content.slice(0, 80)}…` : content
    throw fail(`the answer is not what Nomad should give${where ? ` (${where})` : ''}: ${start}`)
  }

  /** Errors are plain text. */
  async #refusal(question: NomadQuestion<unknown>, response: Response): Promise<NomadError> {
    const { status } = response
    const words = errorSentence((await readBounded(response, errorBytes)) ?? '').trim()
    const reason = `HTTP ${status}: ${words || response.statusText || 'no reason given'}`
    return new NomadError(
      this.#sentence(question, reason),
      status >= 500 || laterStatuses.has(status),
      status,
    )
  }

  #sentence({ action }: NomadQuestion<unknown>, reason: string): string {
    return `Cannot ${action} at ${this.#url}: ${reason}`
  }
}

/** ky calls `fetch(request, init)`; ours takes the request alone. */
export function fetchOption(fetch: NomadAccess['fetch']): Pick<Options, 'fetch'> {
  return fetch === undefined ? {} : { fetch: (input, init) => fetch(new Request(input, init)) }
}

function indexOf({ headers }: Response): number {
  const index = Number(headers.get('x-nomad-index') ?? 0)
  return Number.isSafeInteger(index) && index > 0 ? index : 0
}

/** Some runtimes say only in the cause why a fetch failed. */
function causeOf(thrown: unknown): unknown {
  return thrown instanceof Error && thrown.cause instanceof Error ? thrown.cause : thrown
}
