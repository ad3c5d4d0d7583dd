/** Floor 3: calls that wait, first in, first out. Browser compatible. */

/** What a {@link CallQueue} keeps in those that stand in it: a Set beside them costs ten times as much. */
export interface Queued<T> {
  queue: object | undefined
  before: T | undefined
  behind: T | undefined
}

/** Each stands in one queue at most; coming, going first and leaving from the middle are O(1). */
export class CallQueue<T extends Queued<T>> {
  #size = 0
  #first: T | undefined
  #last: T | undefined

  get size(): number {
    return this.#size
  }

  has(call: T): boolean {
    return call.queue === this
  }

  add(call: T): void {
    call.queue = this
    call.before = this.#last
    if (this.#last === undefined) this.#first = call
    else this.#last.behind = call
    this.#last = call
    this.#size += 1
  }

  /** False when it is not there. */
  delete(call: T): boolean {
    if (call.queue !== this) return false
    const { before, behind } = call
    if (before === undefined) this.#first = behind
    else before.behind = behind
    if (behind === undefined) this.#last = before
    else behind.before = before
    call.queue = undefined
    call.before = undefined
    call.behind = undefined
    this.#size -= 1
    return true
  }

  takeFirst(): T | undefined {
    const first = this.#first
    if (first !== undefined) this.delete(first)
    return first
  }

  takeAll(): T[] {
    const calls: T[] = []
    let call = this.#first
    while (call !== undefined) {
      const { behind }: Queued<T> = call
      call.queue = undefined
      call.before = undefined
      call.behind = undefined
      calls.push(call)
      call = behind
    }
    this.#size = 0
    this.#first = undefined
    this.#last = undefined
    return calls
  }

  /** All that are in it now. */
  list(): T[] {
    const calls: T[] = []
    for (let call = this.#first; call !== undefined; call = call.behind) calls.push(call)
    return calls
  }
}
