/** Floor 3: one timer for all deadlines, armed for the nearest. Browser compatible. */
import type { Clock } from '../ports/clock.ts'

/** Deadlines this close together fire together; none fires early. */
const bucketMs = 32

/** What timers can hold; a later deadline is armed again on the way. */
const longestTimerMs = 2 ** 31 - 1

/** Something that may run out of time. */
export interface Expiring<T> {
  /** Kept by {@link Deadlines}. */
  deadline: Deadline<T> | undefined
}

/** The place of an item in its bucket: a Set's adding and deleting costs ten times as much. */
interface Deadline<T> {
  readonly item: T
  readonly bucket: Bucket<T>
  before: Deadline<T> | undefined
  behind: Deadline<T> | undefined
}

interface Bucket<T> {
  readonly at: number
  first: Deadline<T> | undefined
  last: Deadline<T> | undefined
}

/** Watches over deadlines. Adding and dropping one is O(1). */
export class Deadlines<T extends Expiring<T>> {
  readonly #buckets = new Map<number, Bucket<T>>()
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
    const bucket = this.#bucket(Math.ceil(atMs / bucketMs))
    const deadline = { item, bucket, before: bucket.last, behind: undefined }
    if (bucket.last === undefined) bucket.first = deadline
    else bucket.last.behind = deadline
    bucket.last = deadline
    item.deadline = deadline
    if (bucket.at < this.#armedFor) this.#arm(bucket.at)
  }

  drop(item: T): void {
    if (item.deadline === undefined) return
    const { bucket, before, behind } = item.deadline
    item.deadline = undefined
    if (before === undefined) bucket.first = behind
    else before.behind = behind
    if (behind === undefined) bucket.last = before
    else behind.before = before
    if (bucket.first !== undefined) return
    this.#buckets.delete(bucket.at)
    if (this.#buckets.size === 0) this.#disarm()
  }

  #bucket(at: number): Bucket<T> {
    const known = this.#buckets.get(at)
    if (known !== undefined) return known
    const bucket = { at, first: undefined, last: undefined }
    this.#buckets.set(at, bucket)
    return bucket
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
    for (const { item, bucket } of this.#due(this.#clock.now() / bucketMs)) {
      // The end of one may have been that of another.
      if (item.deadline?.bucket !== bucket) continue
      this.drop(item)
      this.#expire(item)
    }
    let nearest = Infinity
    for (const at of this.#buckets.keys()) nearest = Math.min(nearest, at)
    // Something may have been watched meanwhile, but that need not be the nearest.
    if (nearest < this.#armedFor) this.#arm(nearest)
  }

  #due(now: number): Deadline<T>[] {
    const due: Deadline<T>[] = []
    for (const bucket of this.#buckets.values()) {
      if (bucket.at > now) continue
      for (let each = bucket.first; each !== undefined; each = each.behind) due.push(each)
    }
    return due
  }
}
