/** The end of a server that lets what it has accepted come to its own end. */
export class Drain {
  readonly #accepted = new Set<Promise<unknown>>()
  #endsAt: number | null = null

  /** From now on nothing new is accepted; what is accepted has `timeoutMs`. */
  begin(timeoutMs: number): void {
    this.#endsAt ??= performance.now() + timeoutMs
  }

  get isOn(): boolean {
    return this.#endsAt !== null
  }

  /** When another server may be here: whole seconds, at least 1. */
  get retryAfterS(): number {
    return Math.max(1, Math.ceil(((this.#endsAt ?? 0) - performance.now()) / 1_000))
  }

  /** Counts `work` as accepted until it ends. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.#accepted.add(work)
    try {
      return await work
    } finally {
      this.#accepted.delete(work)
    }
  }

  /** Resolves when all that was accepted has its answer. */
  async empty(): Promise<void> {
    while (this.#accepted.size > 0) await Promise.allSettled(this.#accepted)
  }
}
