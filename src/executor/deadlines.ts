/** Floor 3: one timer for all deadlines, armed for the nearest. Browser compatible. */
import type { Clock } from '../ports/clock.ts'

/** Deadlines this close together fire together; none fires early. */
const bucketMs = 32

/** What timers can hold; a later deadline is armed again on the way. */
const longestTimerMs = 2 ** 31 - 1

/** Something that may run out of time. */
export interface Expiring {
  /** The bucket it is in; kept by {@link Deadlines}. */
  deadlineBucket: number | undefined
}

/** Watches over deadlines. Adding and dropping one is O(1). */
export class Deadlines<T extends Expiring> {
  readonly #buckets = new Map<number, Set<T>>()
  readonly #clock: Clock
  readonly #expire: (item: T) => void
  #timer: unknown
  #armedFor = Infinity

  constructor(clock: Clock, expire: (item: T) => void) {
    this.#clock = clock
    this.#expire = expire
  }

  /** Calls `expire(item)` at `atMs`, at most {@link bucketMs} later. Replaces the item's earlier deadline. */
  watch(item: T, atMs: number): void {
    this.drop(item)
    const bucket = Math.ceil(atMs / bucketMs)
    item.deadlineBucket = bucket
    const items = this.#buckets.get(bucket)
    if (items === undefined) this.#buckets.set(bucket, new Set([item]))
    else items.add(item)
    if (bucket < this.#armedFor) this.#arm(bucket)
  }

  drop(item: T): void {
    const bucket = item.deadlineBucket
    if (bucket === undefined) return
    item.deadlineBucket = undefined
    const items = this.#buckets.get(bucket)
    if (items?.delete(item) && items.size === 0) this.#buckets.delete(bucket)
    if (this.#buckets.size === 0) this.#disarm()
  }

  #arm(bucket: number): void {
    this.#disarm()
    this.#armedFor = bucket
    const delayMs = Math.max(0, bucket * bucketMs - this.#clock.now())
    this.#timer = this.#clock.setTimeout(() => this.#fire(), Math.min(delayMs, longestTimerMs))
  }

  #disarm(): void {
    if (this.#armedFor === Infinity) return
    this.#clock.clearTimeout(this.#timer)
    this.#armedFor = Infinity
  }

  #fire(): void {
    this.#armedFor = Infinity
    const due = this.#clock.now() / bucketMs
    for (const [bucket, items] of this.#buckets) {
      if (bucket > due) continue
      this.#buckets.delete(bucket)
      for (const item of items) {
        item.deadlineBucket = undefined
        this.#expire(item)
      }
    }
    if (this.#armedFor === Infinity && this.#buckets.size > 0) this.#arm(Math.min(...this.#buckets.keys()))
  }
}
