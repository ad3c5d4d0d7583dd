/** Floor 3: one listener per AbortSignal, however many calls share it. Browser compatible. */

interface Watched<T> {
  readonly items: Set<T>
  readonly listener: () => void
}

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
      watched.items.add(item)
      return
    }
    const items = new Set([item])
    const listener = () => {
      this.#watched.delete(signal)
      for (const each of items) this.#aborted(each)
    }
    this.#watched.set(signal, { items, listener })
    signal.addEventListener('abort', listener, { once: true })
  }

  drop(signal: AbortSignal, item: T): void {
    const watched = this.#watched.get(signal)
    if (watched === undefined || !watched.items.delete(item) || watched.items.size > 0) return
    signal.removeEventListener('abort', watched.listener)
    this.#watched.delete(signal)
  }
}
