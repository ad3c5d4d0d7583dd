/** Floor 3: one timer for all deadlines, armed for the nearest. Browser compatible. */
import type { Clock } from '../ports/clock.ts'

/** Deadlines this close together fire together; none fires early. */
const bucketMs = 32

/** Something that may run out of time. Kept by {@link Deadlines}: */
export interface Expiring<T> {
  /** Where it is watched, if it is, */
  bucket: Bucket<T> | undefined
  /** and its index there: a Set's adding and deleting costs ten times as much. */
  place: number
}

interface Bucket<T> {
  readonly at: number
  /** In no order. */
  readonly items: T[]
}

/** Watches over deadlines. Adding and dropping one is O(1). */
export class Deadlines<T extends Expiring<T>> {
  readonly #buckets = new Map<number, Bucket<T>>()
  readonly #clock: Clock
  readonly #expire: (item: T) => void
  #recent: Bucket<T> | undefined
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
    item.place = bucket.items.push(item) - 1
    item.bucket = bucket
    if (bucket.at < this.#armedFor) this.#arm(bucket.at)
  }

  /** The last one of its bucket takes its place. */
  drop(item: T): void {
    const { bucket, place } = item
    const last = bucket?.items.pop()
    if (bucket === undefined || last === undefined) return
    item.bucket = undefined
    if (last !== item) {
      bucket.items[place] = last
      last.place = place
    }
    if (bucket.items.length > 0) return
    this.#buckets.delete(bucket.at)
    if (this.#recent === bucket) this.#recent = undefined
    if (this.#buckets.size === 0) this.#disarm()
  }

  /** Most are watched in the same one as the one before. */
  #bucket(at: number): Bucket<T> {
    if (this.#recent?.at === at) return this.#recent
    this.#recent = this.#buckets.get(at)
    if (this.#recent === undefined) {
      this.#recent = { at, items: [] }
      this.#buckets.set(at, this.#recent)
    }
    return this.#recent
  }

  #arm(bucket: number): void {
    this.#disarm()
    this.#armedFor = bucket
    const delayMs = Math.max(0, bucket * bucketMs - this.#clock.now())
    this.#timer = this.#clock.setTimeout(() => this.#fire(), delayMs)
  }

  #disarm(): void {
    if (this.#armedFor === Infinity) return
    this.#clock.clearTimeout(this.#timer)
    this.#armedFor = Infinity
  }

  #fire(): void {
    this.#armedFor = Infinity
    const now = this.#clock.now() / bucketMs
    const due = [...this.#buckets.values()].filter(({ at }) => at <= now)
    for (const bucket of due) {
      for (const item of [...bucket.items]) {
        // The end of one may have been that of another.
        if (item.bucket !== bucket) continue
        this.drop(item)
        this.#expire(item)
      }
    }
    let nearest = Infinity
    for (const at of this.#buckets.keys()) nearest = Math.min(nearest, at)
    // Something may have been watched meanwhile, but that need not be the nearest.
    if (nearest < this.#armedFor) this.#arm(nearest)
  }
}
