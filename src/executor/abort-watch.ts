/** Floor 3: one listener per AbortSignal, however many calls share it. Browser compatible. */

/** Tells `aborted(item)` when the item's signal fires. It listens to all signals itself: an object for each costs more. */
export class AbortWatch<T extends object> implements EventListenerObject {
  /** Mostly there is one item, which needs no Set. */
  readonly #watched = new Map<AbortSignal, T | Set<T>>()
  readonly #aborted: (item: T) => void

  constructor(aborted: (item: T) => void) {
    this.#aborted = aborted
  }

  watch(signal: AbortSignal, item: T): void {
    const watched = this.#watched.get(signal)
    if (watched === undefined) {
      this.#watched.set(signal, item)
      signal.addEventListener('abort', this)
    } else if (watched instanceof Set) watched.add(item)
    else this.#watched.set(signal, new Set([watched, item]))
  }

  drop(signal: AbortSignal, item: T): void {
    const watched = this.#watched.get(signal)
    const wasLast = watched instanceof Set ? watched.delete(item) && watched.size === 0 : watched === item
    if (wasLast) this.#leave(signal)
  }

  handleEvent({ currentTarget: signal }: Event): void {
    if (!(signal instanceof AbortSignal)) return
    const watched = this.#watched.get(signal)
    if (watched === undefined) return
    for (const item of watched instanceof Set ? watched : [watched]) {
      this.drop(signal, item)
      this.#aborted(item)
    }
  }

  #leave(signal: AbortSignal): void {
    signal.removeEventListener('abort', this)
    this.#watched.delete(signal)
  }
}
