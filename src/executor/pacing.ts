/** Floor 3: the pauses between attempts to reach one container. Browser compatible. */
import { pauseMs } from '../retrying/pauses.ts'
import type { Core } from './core.ts'

/** How long to leave a container alone, and why. */
export interface Pause {
  readonly ms: number
  readonly reason: string
}

/** Pauses that grow with failed attempts in a row. */
export class Pacing {
  readonly #core: Core
  /** Calls that were answered. */
  answers = 0
  #failures = 0
  #pause: Pause = { ms: 0, reason: '' }
  #timer: unknown

  constructor(core: Core) {
    this.#core = core
  }

  get pause(): Pause {
    return this.#pause
  }

  /** An attempt failed: the next pause is at least what the container asked for. */
  failed(reason: string, askedMs: number): void {
    this.#failures += 1
    const ms = pauseMs(this.#failures, this.#core.retry, this.#core.random)
    this.#pause = { ms: Math.max(askedMs, ms), reason }
  }

  /** The last attempt did not fail. */
  get isSteady(): boolean {
    return this.#failures === 0
  }

  succeeded(): void {
    this.#failures = 0
    this.answers += 1
  }

  /** Runs the task when the pause is over. */
  schedule(task: () => void): void {
    this.#timer = this.#core.clock.setTimeout(task, this.#pause.ms)
  }

  stop(): void {
    this.#core.clock.clearTimeout(this.#timer)
  }
}
