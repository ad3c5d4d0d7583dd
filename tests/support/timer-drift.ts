/** By how much plain timers of this process are late: what a busy machine adds to every deadline in it. */
const everyMs = 10

export class TimerDrift implements Disposable {
  /** The most so far, in milliseconds. */
  most = 0
  readonly #timer: Timer

  constructor() {
    let due = performance.now() + everyMs
    this.#timer = setInterval(() => {
      const now = performance.now()
      this.most = Math.max(this.most, now - due)
      due = now + everyMs
    }, everyMs)
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }
}
