/** Floor 3: a look at every container's health from time to time. Browser compatible. */
import type { Core } from '../core.ts'
import type { PooledContainer } from './pooled-container.ts'
import type { Roster } from './roster.ts'

/** How long one look may take. */
const checkTimeoutMs = 5_000

/** Looks that fail in a row until a container counts as dead: one is a suspicion. */
export const deadlyFailures = 3

/** Until a container that is suspected is looked at again. */
const suspectedMs = 1_000

/** Looks at containers, each in its own time, so that they are not all asked at once. */
export class Health {
  readonly #core: Core
  readonly #roster: () => Roster
  readonly #everyMs: number
  readonly #due: (container: PooledContainer) => void

  /** `due` is told when it is time to look at a container; it calls `look`, if the pool still runs. */
  constructor(core: Core, everyMs: number, roster: () => Roster, due: (container: PooledContainer) => void) {
    this.#core = core
    this.#everyMs = everyMs
    this.#roster = roster
    this.#due = due
  }

  /** Looks once, tells the roster, and sets the time for the next look. */
  async look(container: PooledContainer): Promise<void> {
    const status = await container.container.check(Math.min(checkTimeoutMs, this.#everyMs))
    const roster = this.#roster()
    if (!roster.containers.includes(container)) return
    if (status !== null) {
      roster.answered(container, status.slots)
    } else {
      container.failedChecks += 1
      if (container.failedChecks < deadlyFailures) roster.suspect(container)
      else roster.lose(container, `${container.failedChecks} looks at its health in a row brought no answer`)
    }
    if (roster.containers.includes(container)) this.#schedule(container)
  }

  /** Looks again soon: something went wrong there. */
  #schedule(container: PooledContainer): void {
    const isSuspected = container.failedChecks > 0 && container.failedChecks < deadlyFailures
    const ms = isSuspected ? Math.min(suspectedMs, this.#everyMs) : this.#everyMs
    const jitter = 0.75 + this.#core.random() * 0.5
    container.timer = this.#core.clock.setTimeout(() => this.#due(container), ms * jitter)
  }
}
