/** Floor 3: which container gives the next slot: the one with the most free slots. Every step is O(1). Pure. */
import { Line } from './line.ts'

/** A container as far as the choice goes. */
export interface Choosable<S> {
  /** Slots that can be leased now. */
  readonly free: Line<S>
  /** Calls that are posted and not answered. */
  readonly inFlight: number
}

/** Containers with as many free slots are told apart by their calls in flight; of so many at most. */
const comparedContainers = 8

/** Containers by their number of free slots. */
export class FreeSlots<S, C extends Choosable<S>> {
  readonly #byCount: Line<C>[] = []
  readonly #counts = new Map<C, number>()
  #most = 0

  /** The container can be chosen from now on, with the free slots that it has. */
  add(container: C): void {
    if (!this.#counts.has(container)) this.#place(container)
  }

  /** The container cannot be chosen any more. */
  delete(container: C): void {
    const count = this.#counts.get(container)
    if (count === undefined) return
    this.#counts.delete(container)
    this.#byCount[count]?.delete(container)
    this.#lower()
  }

  /** Takes one slot out of the best container; undefined when none is free. */
  take(): S | undefined {
    const container = this.#best()
    if (container === undefined) return undefined
    const slot = container.free.first
    if (slot === undefined) return undefined
    container.free.delete(slot)
    this.moved(container)
    return slot
  }

  /** The container's number of free slots has changed. */
  moved(container: C): void {
    if (!this.#counts.has(container)) return
    this.delete(container)
    this.#place(container)
  }

  #place(container: C): void {
    const count = container.free.size
    this.#counts.set(container, count)
    while (this.#byCount.length <= count) this.#byCount.push(new Line())
    this.#byCount[count]?.add(container)
    this.#most = Math.max(this.#most, count)
  }

  #best(): C | undefined {
    if (this.#most === 0) return undefined
    let best: C | undefined
    let compared = 0
    for (const container of this.#byCount[this.#most] ?? []) {
      if (best === undefined || container.inFlight < best.inFlight) best = container
      compared += 1
      if (compared === comparedContainers) break
    }
    return best
  }

  #lower(): void {
    while (this.#most > 0 && this.#byCount[this.#most]?.size === 0) this.#most -= 1
  }
}
