/** Floor 1: results that come line by line: each reaches its own call, once. */
import type { BatchLine, LiveLine } from '../protocol/batch.ts'
import { answered, type Identified } from './match-results.ts'
import type { Settlement } from './settlement.ts'

/** What a line means for a call; undefined for one that concerns no call that waits. */
export type Taken<C> =
  | { readonly kind: 'result'; readonly call: C; readonly settlement: Settlement }
  | { readonly kind: 'live'; readonly call: C; readonly line: LiveLine }
  | undefined

/** The answer to one `POST /v2/batch`, as far as it has come. */
export class StreamedResults<C extends Identified> {
  /** The last line has come: the answer is whole. */
  isDone = false
  /** The first thing that was wrong with the answer. A call that it cost its result has none. */
  complaint: string | undefined
  readonly #status: number
  readonly #calls: readonly C[]
  #answered = 0
  /** Those that wait, by id; not there as long as the results come in the order of the calls. */
  #waiting: Map<string, C> | undefined

  constructor(calls: readonly C[], status: number) {
    this.#calls = calls
    this.#status = status
  }

  take(line: BatchLine): Taken<C> {
    switch (line.kind) {
      case 'result': {
        const call = this.#whose(line.value.execution_id)
        return call && { kind: 'result', call, settlement: answered(line.value, this.#status) }
      }
      case 'live': {
        const { execution_id } = line.value
        const call = this.#byId().get(execution_id)
        return call && { kind: 'live', call, line: line.value }
      }
      case 'done':
        this.isDone = true
        if (line.value.count !== this.#answered)
          this.#complain(`it tells of ${line.value.count} results and holds ${this.#answered}`)
        return undefined
      case 'malformed':
        this.#complain(`line for ${line.executionId ?? 'nobody'}: ${line.message}`)
        return undefined
    }
  }

  #whose(executionId: string | null): C | undefined {
    const call = this.#next(executionId) ?? this.#byId().get(executionId ?? '')
    if (call === undefined) {
      const isDoubled = this.#calls.some((each) => each.executionId === executionId)
      this.#complain(
        isDoubled
          ? `it holds two results for ${executionId}`
          : `it holds a result for ${executionId ?? 'nobody'}, which was not asked for`,
      )
      return undefined
    }
    this.#answered += 1
    this.#waiting?.delete(call.executionId)
    return call
  }

  /** The first call that waits, if all before it came in order, and this is its result. */
  #next(executionId: string | null): C | undefined {
    const call = this.#waiting === undefined ? this.#calls[this.#answered] : undefined
    return call?.executionId === executionId ? call : undefined
  }

  #byId(): Map<string, C> {
    const waiting = () => this.#calls.slice(this.#answered).map((call) => [call.executionId, call] as const)
    this.#waiting ??= new Map(waiting())
    return this.#waiting
  }

  #complain(complaint: string): void {
    this.complaint ??= `Something is wrong with the answer: ${complaint}`
  }
}
