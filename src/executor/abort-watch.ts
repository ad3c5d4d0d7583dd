/** Floor 3: one listener per AbortSignal, however many calls share it. Browser compatible. */

/** Tells `aborted(item)` when the item's signal fires. */
export class AbortWatch<T> {
  readonly #watched = new Map<AbortSignal, Watched<T>>()
  readonly #aborted: (item: T) => void

  constructor(aborted: (item: T) => void) {
    this.#aborted = aborted
  }

  watch(signal: AbortSignal, item: T): void {
    const watched = this.#watched.get(signal)
    if (watched !== undefined) {
      watched.add(item)
      return
    }
    const first = new Watched(item, this)
    this.#watched.set(signal, first)
    signal.addEventListener('abort', first)
  }

  drop(signal: AbortSignal, item: T): void {
    const watched = this.#watched.get(signal)
    if (watched?.delete(item) === true) this.#leave(signal, watched)
  }

  /** @internal The signal has fired. */
  fired(signal: AbortSignal, watched: Watched<T>): void {
    this.#leave(signal, watched)
    for (const item of watched.items()) this.#aborted(item)
  }

  #leave(signal: AbortSignal, watched: Watched<T>): void {
    signal.removeEventListener('abort', watched)
    this.#watched.delete(signal)
  }
}

/** The items of one signal, and its listener. Mostly there is one, which needs no Set. */
class Watched<T> implements EventListenerObject {
  #only: T | undefined
  #all: Set<T> | undefined
  readonly #watch: AbortWatch<T>

  constructor(only: T, watch: AbortWatch<T>) {
    this.#only = only
    this.#watch = watch
  }

  add(item: T): void {
    this.#all ??= new Set(this.items())
    this.#all.add(item)
  }

  /** Whether it was the last one. */
  delete(item: T): boolean {
    if (this.#all !== undefined) return this.#all.delete(item) && this.#all.size === 0
    if (this.#only !== item) return false
    this.#only = undefined
    return true
  }

  items(): Iterable<T> {
    return this.#all ?? (this.#only === undefined ? [] : [this.#only])
  }

  handleEvent({ currentTarget }: Event): void {
    if (currentTarget instanceof AbortSignal) this.#watch.fired(currentTarget, this)
  }
}
