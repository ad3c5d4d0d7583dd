/** Floor 3: ids that no other call has had. Browser compatible. */

/**
 * UUIDs (version 4) of one random beginning and a count at the end: one random number for all calls of an executor, not
 * one for each. Two executors meet only if their 74 random bits do.
 */
export class ExecutionIds {
  readonly #beginning = crypto.randomUUID().slice(0, 24)
  /** All digits but the last three, which {@link endings} has. */
  #middle = ''
  #count = 0

  /** Whether it is one of these. */
  isOwn(executionId: string): boolean {
    return executionId.startsWith(this.#beginning)
  }

  next(): string {
    this.#count += 1
    const at = this.#count % endings.length
    if (at === 0 || this.#middle === '') {
      const higher = Math.floor(this.#count / endings.length)
      this.#middle = this.#beginning + higher.toString(16).padStart(9, '0')
    }
    return this.#middle + endings[at]
  }
}

const endings = Array.from({ length: 4_096 }, (_, at) => at.toString(16).padStart(3, '0'))
