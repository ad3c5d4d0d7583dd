/** Floor 3: the calls that wait for their post, with the bytes that they come to. Browser compatible. */
import { streamedLaneOf } from '../batching/lanes.ts'
import type { Failed } from '../batching/settlement.ts'
import { type BatchLimits, takeBatches } from '../batching/take-batches.ts'
import { refusalOf, type Terms } from '../batching/terms.ts'
import { smallBytes } from './call-body.ts'
import { CallQueue } from './call-queue.ts'
import type { PendingCall } from './pending-call.ts'

/** What was taken out of the buffer. */
export interface Taking {
  readonly batches: PendingCall[][]
  /** Calls that the container cannot take, and why. */
  readonly refused: readonly { readonly call: PendingCall; readonly failure: Failed }[]
}

/** In order of arrival; coming and leaving are O(1). */
export class CallBuffer {
  readonly #calls = new CallQueue<PendingCall>()
  readonly #limits: BatchLimits
  #bytes = 0

  constructor(limits: BatchLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#calls.size
  }

  /** A batch would be full. */
  get isFull(): boolean {
    return this.#calls.size >= this.#limits.maxCalls || this.#bytes >= this.#limits.maxBytes
  }

  add(call: PendingCall): void {
    if (this.#isTight(this.#limits.maxBytes)) measure([call])
    this.#calls.add(call)
    this.#bytes += call.bytes
  }

  has(call: PendingCall): boolean {
    return this.#calls.has(call)
  }

  delete(call: PendingCall): boolean {
    if (!this.#calls.delete(call)) return false
    this.#bytes -= call.bytes
    return true
  }

  /** What is in it now. */
  list(): PendingCall[] {
    return this.#calls.list()
  }

  /** Empties it into batches for a container of these terms. */
  takeAll(terms: Terms | undefined, now: number): Taking {
    this.#bytes = 0
    const calls: PendingCall[] = []
    const refused: Taking['refused'][number][] = []
    const taken = this.#calls.takeAll()
    if (terms !== undefined && this.#isTight(terms.maxBodyBytes)) measure(taken)
    for (const call of taken) {
      const failure = refusalOf(call, terms, now)
      if (failure === undefined) calls.push(call)
      else refused.push({ call, failure })
    }
    if (terms === undefined) return { batches: takeBatches(calls, this.#limits), refused }
    const maxBytes = Math.min(this.#limits.maxBytes, terms.maxBodyBytes)
    return { batches: takeBatches(calls, { ...this.#limits, maxBytes }, streamedLaneOf), refused }
  }

  /** Whether a post could be full of small bodies: their bytes must be exact then. */
  #isTight(maxBytes: number): boolean {
    return maxBytes < this.#limits.maxCalls * smallBytes
  }
}

/** Makes their texts, and so their bytes exact. */
function measure(calls: readonly PendingCall[]): void {
  for (const call of calls) void call.body
}
