/** Floor 3: things that stand in line, each once. Every step is O(1). Pure. Browser compatible. */

interface Place<T> {
  readonly item: T
  before: Place<T> | undefined
  behind: Place<T> | undefined
}

/**
 * First in, first out, and any may leave in between. A `Set` cannot do it: to find its first item it walks past all that
 * have left (5 µs with 100,000).
 */
export class Line<T> implements Iterable<T> {
  readonly #places = new Map<T, Place<T>>()
  #head: Place<T> | undefined
  #tail: Place<T> | undefined

  get size(): number {
    return this.#places.size
  }

  get first(): T | undefined {
    return this.#head?.item
  }

  has(item: T): boolean {
    return this.#places.has(item)
  }

  /** At its end; one that stands there already keeps its place. */
  add(item: T): void {
    if (this.#places.has(item)) return
    const place: Place<T> = { item, before: this.#tail, behind: undefined }
    if (this.#tail === undefined) this.#head = place
    else this.#tail.behind = place
    this.#tail = place
    this.#places.set(item, place)
  }

  delete(item: T): void {
    const place = this.#places.get(item)
    if (place === undefined) return
    this.#places.delete(item)
    const { before, behind } = place
    if (before === undefined) this.#head = behind
    else before.behind = behind
    if (behind === undefined) this.#tail = before
    else behind.before = before
  }

  clear(): void {
    this.#places.clear()
    this.#head = undefined
    this.#tail = undefined
  }

  /** In order, without those that leave meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    for (let place = this.#head; place !== undefined; place = place.behind)
      if (this.#places.get(place.item) === place) yield place.item
  }
}
