/** Floor 3: a bounded stretch of records, and the state at its beginning. Browser compatible. */
import type { TraceRecord } from './records.ts'
import { SystemState } from './system-state.ts'

/** What is kept at most. */
export interface HistoryLimits {
  readonly maxRecords: number
  /** Of records, as estimated by whoever pushes them. */
  readonly maxBytes: number
}

/**
 * A ring: what falls out of it is folded into its base, so that base and records together always tell the present.
 * Records are found by their position: the first one ever is at 0.
 */
export class History {
  readonly base = new SystemState()
  readonly #limits: HistoryLimits
  readonly #ring: (TraceRecord | undefined)[] = []
  readonly #sizes: number[] = []
  #start = 0
  #end = 0
  #bytes = 0

  constructor(limits: HistoryLimits) {
    this.#limits = limits
  }

  /** The position of the oldest record that is kept. */
  get start(): number {
    return this.#start
  }

  /** The position that the next record gets. */
  get end(): number {
    return this.#end
  }

  /** Estimated, of the records that are kept. */
  get bytes(): number {
    return this.#bytes
  }

  push(record: TraceRecord, bytes: number): void {
    const { maxRecords, maxBytes } = this.#limits
    while (
      this.#end > this.#start &&
      (this.#end - this.#start >= maxRecords || this.#bytes + bytes > maxBytes)
    ) {
      this.#fold()
    }
    const index = this.#end % maxRecords
    this.#ring[index] = record
    this.#sizes[index] = bytes
    this.#bytes += bytes
    this.#end += 1
  }

  /** The record at a position; undefined when it is no longer or not yet there. */
  at(position: number): TraceRecord | undefined {
    if (position < this.#start || position >= this.#end) return undefined
    return this.#ring[position % this.#limits.maxRecords]
  }

  /** Records from a position on, at most up to another one. */
  slice(from = this.#start, to = this.#end): TraceRecord[] {
    const records: TraceRecord[] = []
    for (let position = Math.max(from, this.#start); position < Math.min(to, this.#end); position += 1) {
      const record = this.at(position)
      if (record !== undefined) records.push(record)
    }
    return records
  }

  #fold(): void {
    const index = this.#start % this.#limits.maxRecords
    const record = this.#ring[index]
    if (record !== undefined) this.base.apply(record)
    this.#ring[index] = undefined
    this.#bytes -= this.#sizes[index] ?? 0
    this.#start += 1
  }
}
