/** One task at a time, first come first served. */
export class FifoLock {
  #tail: Promise<unknown> = Promise.resolve()

  /** Runs `task` after all that came before it, however those ended. */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(task)
    this.#tail = result.catch(() => {})
    return result
  }

  /** Resolves when all tasks that are known now have ended. */
  async idle(): Promise<void> {
    await this.#tail
  }
}
