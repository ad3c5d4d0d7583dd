/** Floor 3: the calls that wait for their post, with the bytes that they come to. Browser compatible. */
import { type BatchLimits, takeBatches } from '../batching/take-batches.ts'
import type { PendingCall } from './pending-call.ts'

/** In order of arrival; coming and leaving are O(1). */
export class CallBuffer {
  readonly #calls = new Set<PendingCall>()
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
    return [...this.#calls]
  }

  /** Empties it into batches. */
  takeAll(): PendingCall[][] {
    const batches = takeBatches(this.#calls, this.#limits)
    this.#calls.clear()
    this.#bytes = 0
    return batches
  }
}
