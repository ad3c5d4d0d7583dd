/**
 * A client's clock that stands still while something happens, and leaps to the next timer when nothing does: a test that
 * waits for a deadline takes no seconds, and a machine that is busy makes no call late.
 */
import type { Clock } from '../../src/ports/clock.ts'

const turnMs = 5
/** So many turns of the event loop without a sign of life are needed for a leap. */
const stillTurns = 20

interface Timer {
  readonly at: number
  readonly task: () => void
}

export class PatientClock implements Clock, Disposable {
  readonly #timers = new Set<Timer>()
  readonly #activity: () => number
  readonly #turning: ReturnType<typeof setInterval>
  #now = 0
  #seen = -1
  #still = 0

  /** `activity`: a number that grows while something happens. */
  constructor(activity: () => number) {
    this.#activity = activity
    this.#turning = setInterval(() => this.#turn(), turnMs)
  }

  now(): number {
    return this.#now
  }

  setTimeout(task: () => void, ms: number): Timer {
    const timer = { at: this.#now + ms, task }
    this.#timers.add(timer)
    return timer
  }

  clearTimeout(timer: unknown): void {
    this.#timers.delete(timer as Timer)
  }

  #turn(): void {
    const seen = this.#activity()
    this.#still = seen === this.#seen ? this.#still + 1 : 0
    this.#seen = seen
    if (this.#still < stillTurns) return
    this.#still = 0
    this.#leap()
  }

  #leap(): void {
    if (this.#timers.size === 0) return
    this.#now = Math.max(this.#now, Math.min(...Array.from(this.#timers, ({ at }) => at)))
    for (const timer of [...this.#timers]) {
      if (timer.at <= this.#now && this.#timers.delete(timer)) timer.task()
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#turning)
  }
}
