/** All calls that came over the extended protocol: those that run here, and those that the ledger knows. */
import * as v from 'valibot'
import type { CancelResponseBody } from '../../protocol/cancel.ts'
import type { ServerCode } from '../../protocol/execution.ts'
import { jsonObject } from '../../protocol/json-object.ts'
import { checkCall, type ServerContext } from '../calls.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { check, failed, wellFormed } from '../tools/tool.ts'
import { bodyHash } from './body-hash.ts'
import { Execution, type RunnableCall } from './execution.ts'

/** What became of one item of a batch. */
export type Submitted =
  /** It has its answer. */
  | { readonly kind: 'answered'; readonly line: string }
  /** It has run before: its answer is in the ledger. */
  | { readonly kind: 'recorded'; readonly executionId: string }
  /** `live`: its output is wanted as it is printed. */
  | { readonly kind: 'running'; readonly execution: Execution; readonly live: boolean }

const itemFields = v.object({
  execution_id: v.optional(
    v.pipe(wellFormed, v.nonEmpty('must not be empty'), v.maxLength(200, 'must have at most 200 characters')),
    '',
  ),
  live: v.optional(v.boolean('must be true or false'), false),
})

/** A cancellation may overtake its call, which must not begin then. For as long as that can take, and so many. */
const BARRED_MS = 60_000
const MAX_BARRED = 10_000

export class Executions {
  readonly #context: ServerContext
  readonly #ledger: Ledger
  readonly #graceMs: number | null
  readonly #running = new Map<string, Execution>()
  /** Until when. */
  readonly #barred = new Map<string, number>()

  /** `graceMs`: how long a call runs on when its client has gone; `null`: to its end. */
  constructor(context: ServerContext, ledger: Ledger, graceMs: number | null) {
    this.#context = context
    this.#ledger = ledger
    this.#graceMs = graceMs
  }

  /** Begins what is new, finds what is known. Throws, and has begun nothing, when that cannot be written down. */
  submit(items: readonly unknown[]): Submitted[] {
    const begun = new Map<Execution, RunnableCall>()
    try {
      const submitted = this.#ledger.together(() => items.map((item) => this.#submitOne(item, begun)))
      this.#run(begun)
      return submitted
    } catch (thrown) {
      for (const execution of begun.keys()) this.#running.delete(execution.id)
      throw thrown
    }
  }

  #submitOne(item: unknown, begun: Map<Execution, RunnableCall>): Submitted {
    const object = check(jsonObject, item)
    if (!object.ok) return refused(null, 'invalid_request', `The item ${object.error}`)
    const fields = check(itemFields, object.value)
    if (!fields.ok) return refused(null, 'invalid_request', fields.error)
    const { execution_id: id, live } = fields.value
    const call = checkCall(this.#context, object.value, 'extended')
    if (call.kind === 'answered') {
      const { refused: isRefused, body } = call.answer
      return isRefused
        ? refused(id, 'invalid_request', body.error)
        : { kind: 'answered', line: JSON.stringify(body) }
    }
    const body = bodyHash(object.value)
    const running = this.#running.get(id)
    if (running !== undefined) {
      return Buffer.from(running.body).equals(body)
        ? { kind: 'running', execution: running, live }
        : conflict(id)
    }
    const known = this.#ledger.claim({ executionId: id, body, timeoutS: call.timeoutS })
    switch (known.kind) {
      case 'conflict':
        return conflict(id)
      case 'finished':
        return { kind: 'recorded', executionId: id }
      case 'unfinished':
        return refused(id, 'interrupted', 'The server ended while this call ran, or before it began')
    }
    const execution = new Execution(id, body, this.#graceMs)
    this.#running.set(id, execution)
    begun.set(execution, call)
    return { kind: 'running', execution, live }
  }

  #run(begun: ReadonlyMap<Execution, RunnableCall>): void {
    if (begun.size === 0) return
    const durable = this.#ledger.durable()
    for (const [execution, call] of begun) {
      if ((this.#barred.get(execution.id) ?? 0) > performance.now()) void execution.cancel()
      const ended = execution
        .run(call, this.#ledger, durable)
        .finally(() => this.#running.delete(execution.id))
      void this.#context.drain.during(ended)
    }
    // Those that were cancelled before their turn do not wait for it.
    durable.catch(() => {})
  }

  /** Resolves when nothing of them is alive any more. */
  async cancel(ids: readonly string[]): Promise<CancelResponseBody> {
    const lists: Record<keyof CancelResponseBody, string[]> = { cancelled: [], finished: [], unknown: [] }
    const ends = [...new Set(ids)].map(async (id) => lists[await this.#cancelOne(id)].push(id))
    await Promise.all(ends)
    return lists
  }

  async #cancelOne(id: string): Promise<keyof CancelResponseBody> {
    const execution = this.#running.get(id)
    if (execution !== undefined) return (await execution.cancel()) ? 'cancelled' : 'finished'
    if (this.#ledger.has(id)) return 'finished'
    this.#bar(id)
    return 'unknown'
  }

  /** The line of a call that has run. */
  read(executionId: string, isReplay: boolean): string {
    const line = this.#ledger.resultOf(executionId)
    if (line === '')
      return refusal(executionId, 'interrupted', 'The call has run, and its result is no longer kept')
    return isReplay ? replayed(line) : line
  }

  #bar(id: string): void {
    this.#barred.delete(id)
    this.#barred.set(id, performance.now() + BARRED_MS)
    const [oldest] = this.#barred.keys()
    if (this.#barred.size > MAX_BARRED && oldest !== undefined) this.#barred.delete(oldest)
  }
}

function refusal(executionId: string | null, code: ServerCode, error: string): string {
  return JSON.stringify({ ...failed(error), execution_id: executionId, code })
}

function refused(executionId: string | null, code: ServerCode, error: string): Submitted {
  return { kind: 'answered', line: refusal(executionId, code, error) }
}

function conflict(id: string): Submitted {
  return refused(id, 'execution_id_conflict', `Another call has had the execution_id ${id}`)
}

const recordedLine = v.looseObject({ metadata: v.record(v.string(), v.unknown()) })

function replayed(line: string): string {
  const recorded = v.parse(recordedLine, JSON.parse(line))
  return JSON.stringify({ ...recorded, metadata: { ...recorded.metadata, replayed: true } })
}
