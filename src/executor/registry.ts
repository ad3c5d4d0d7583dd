/** Floor 3: the calls of an executor that are under way. Browser compatible. */
import type { ExecutionIds } from './execution-ids.ts'

/** What a {@link Registry} keeps of a call. */
export interface Registered {
  readonly executionId: string
  /** Its caller chose the id. */
  readonly hasChosenId: boolean
  /** Its index among those under way; undefined for one that is not. A Map by id costs five times as much. */
  seat: number | undefined
}

/** Calls under way, in no order. Coming and leaving are O(1). */
export class Registry<T extends Registered> {
  readonly #calls: T[] = []
  readonly #chosenIds = new Set<string>()
  readonly #ids: ExecutionIds

  /** `ids`: what makes the others. */
  constructor(ids: ExecutionIds) {
    this.#ids = ids
  }

  get size(): number {
    return this.#calls.length
  }

  list(): T[] {
    return [...this.#calls]
  }

  add(call: T): void {
    call.seat = this.#calls.push(call) - 1
    if (call.hasChosenId) this.#chosenIds.add(call.executionId)
  }

  has(call: T): boolean {
    return call.seat !== undefined
  }

  /** Whether a call of this id is under way. */
  hasId(executionId: string): boolean {
    if (this.#chosenIds.has(executionId)) return true
    return this.#ids.isOwn(executionId) && this.#calls.some((call) => call.executionId === executionId)
  }

  /** The last one takes its seat. */
  delete(call: T): void {
    const { seat } = call
    const last = seat === undefined ? undefined : this.#calls.pop()
    if (seat === undefined || last === undefined) return
    if (last !== call) {
      this.#calls[seat] = last
      last.seat = seat
    }
    call.seat = undefined
    if (call.hasChosenId) this.#chosenIds.delete(call.executionId)
  }
}
