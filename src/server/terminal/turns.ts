/** All screens of a process draw in turn, a little at a time, so that many that draw cost the others no more than one. */
import { setImmediate } from 'node:timers/promises'
import { FifoLock } from '../fifo-lock.ts'

/** So long is drawn before others may work. */
const TURN_MS = 5

class Turns {
  readonly #line = new FifoLock()
  #startedAt = performance.now()

  /** Runs `steps` one after the other, as many as a turn has time for, at least one; `true`: there are more. */
  take(steps: Iterator<Promise<void>>): Promise<boolean> {
    return this.#line.run(async () => {
      for (;;) {
        const step = steps.next()
        if (step.done === true) return false
        await step.value
        if (performance.now() - this.#startedAt < TURN_MS) continue
        await setImmediate()
        this.#startedAt = performance.now()
        return true
      }
    })
  }
}

export const turns = new Turns()
