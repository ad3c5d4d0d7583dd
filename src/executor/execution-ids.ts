/** Floor 3: ids that no other call has had. Browser compatible. */

/**
 * UUIDs (version 4) of one random beginning and a count at the end: one random number for all calls of an executor, not
 * one for each. Two executors meet only if their 74 random bits do.
 */
export class ExecutionIds {
  readonly #beginning = crypto.randomUUID().slice(0, 24)
  #count = 0

  next(): string {
    this.#count += 1
    return this.#beginning + this.#count.toString(16).padStart(12, '0')
  }
}
