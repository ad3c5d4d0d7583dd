/** Floor 3: calls that their callers can give up. Browser compatible. */
import type { Clock } from '../ports/clock.ts'
import { AbortWatch } from './abort-watch.ts'

/** How often signals are looked at that nobody listens to yet. */
export const lookMs = 4

/** Something that can be given up. Kept by {@link Aborts}: */
export interface Abortable<T> {
  readonly signal: AbortSignal | undefined
  /** The list of those whose signals are looked at, if it is in one, */
  young: T[] | undefined
  /** and its index there. */
  youngAt: number
}

/**
 * Tells `aborted(item)`, once, when the item's signal has fired. To listen to a signal of its own costs a call as much as
 * all else that is done for it, and most are over in no time: so a signal is looked at first, and listened to from the
 * second look on.
 */
export class Aborts<T extends Abortable<T>> {
  readonly #clock: Clock
  readonly #aborted: (item: T) => void
  readonly #listened: AbortWatch<T>
  /** Those that were not looked at yet, */
  #latest: T[] = []
  /** and those that were, once. */
  #earlier: T[] = []
  #timer: unknown

  constructor(clock: Clock, aborted: (item: T) => void) {
    this.#clock = clock
    this.#aborted = aborted
    this.#listened = new AbortWatch(aborted)
  }

  watch(item: T): void {
    if (item.signal === undefined) return
    item.young = this.#latest
    item.youngAt = this.#latest.push(item) - 1
    if (this.#timer === undefined) this.#arm()
  }

  /** The last one of its list takes its place. */
  drop(item: T): void {
    const { signal, young, youngAt } = item
    if (young === undefined) {
      if (signal !== undefined) this.#listened.drop(signal, item)
      return
    }
    item.young = undefined
    const last = young.pop()
    if (last === undefined || last === item) return
    young[youngAt] = last
    last.youngAt = youngAt
  }

  #arm(): void {
    this.#timer = this.#clock.setTimeout(() => this.#look(), lookMs)
  }

  #look(): void {
    this.#timer = undefined
    const due = this.#earlier
    this.#earlier = this.#latest
    this.#latest = []
    for (const item of [...due, ...this.#earlier]) {
      const { signal, young } = item
      // The end of one may have been that of another.
      if (signal === undefined || young === undefined) continue
      if (!signal.aborted && young !== due) continue
      this.drop(item)
      if (signal.aborted) this.#aborted(item)
      else this.#listened.watch(signal, item)
    }
    if (this.#earlier.length > 0 && this.#timer === undefined) this.#arm()
  }
}
