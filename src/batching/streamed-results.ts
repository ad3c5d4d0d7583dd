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
  readonly #calls: ReadonlyMap<string, C>
  readonly #answered = new Set<string>()

  constructor(calls: readonly C[], status: number) {
    this.#calls = new Map(calls.map((call) => [call.executionId, call]))
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
        const call = this.#answered.has(execution_id) ? undefined : this.#calls.get(execution_id)
        return call && { kind: 'live', call, line: line.value }
      }
      case 'done':
        this.isDone = true
        if (line.value.count !== this.#answered.size)
          this.#complain(`it tells of ${line.value.count} results and holds ${this.#answered.size}`)
        return undefined
      case 'malformed':
        this.#complain(`line for ${line.executionId ?? 'nobody'}: ${line.message}`)
        return undefined
    }
  }

  #whose(executionId: string | null): C | undefined {
    const call = executionId === null ? undefined : this.#calls.get(executionId)
    if (call === undefined || executionId === null) {
      this.#complain(`it holds a result for ${executionId ?? 'nobody'}, which was not asked for`)
      return undefined
    }
    if (this.#answered.has(executionId)) {
      this.#complain(`it holds two results for ${executionId}`)
      return undefined
    }
    this.#answered.add(executionId)
    return call
  }

  #complain(complaint: string): void {
    this.complaint ??= `Something is wrong with the answer: ${complaint}`
  }
}
