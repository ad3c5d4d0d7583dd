/**
 * The sandboxes that are still to be made for calls that may come: a few at a time, and not while calls begin, since who
 * waits for a result goes before who may come.
 */
import { availableParallelism } from 'node:os'

/** Resolves when it is made, or cannot be. Must not reject. */
export type Make = () => Promise<unknown>

/** Most commands end in it. One that does not must not keep the others' next sandboxes from being made. */
const FIRST_MOMENTS_MS = 4

export class Refills {
  readonly #wanted = new Map<object, Make>()
  #beginning = 0
  #making = 0

  /** `atOnce`: so many are made at a time, while fewer calls than that are in their first moments. */
  constructor(
    private readonly atOnce = availableParallelism(),
    private readonly firstMomentsMs = FIRST_MOMENTS_MS,
  ) {}

  /** Makes one in its turn, which may be now; one for each `key` at most. */
  add(key: object, make: Make): void {
    this.#wanted.set(key, make)
    this.#next()
  }

  /** It is not wanted any more. */
  drop(key: object): void {
    this.#wanted.delete(key)
  }

  /** A call begins, which ends with `ended`. */
  yieldTo(ended: Promise<unknown>): void {
    this.#beginning += 1
    let isBeginning = true
    const over = () => {
      if (!isBeginning) return
      isBeginning = false
      clearTimeout(timer)
      this.#beginning -= 1
      this.#next()
    }
    const timer = setTimeout(over, this.firstMomentsMs)
    void ended.then(over)
  }

  #next(): void {
    while (this.#beginning < this.atOnce && this.#making < this.atOnce) {
      const [first] = this.#wanted
      if (first === undefined) return
      const [key, make] = first
      this.#wanted.delete(key)
      this.#making += 1
      void make().then(() => {
        this.#making -= 1
        this.#next()
      })
    }
  }
}
