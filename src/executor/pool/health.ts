/** Floor 3: a look at every container's health from time to time. Browser compatible. */
import type { ContainerStatus } from '../../protocol/health.ts'
import type { Core } from '../core.ts'
import type { PooledContainer } from './pooled-container.ts'
import type { Roster } from './roster.ts'

/** How long one look may take. */
const checkTimeoutMs = 5_000

/** Looks in a row without an answer, and no call answered between them, until a container counts as dead: one is a suspicion. */
export const deadlyFailures = 3

/** Until a container that is not well is looked at again; longer with every look that finds it so. */
const troubledMs = 2_000

/** What looking needs. */
export interface HealthParts {
  readonly core: Core
  /** The pause between two looks at a container that is well. */
  readonly everyMs: number
  readonly roster: () => Roster
  /** It is time to look at the container: calls `look`, if the pool still runs. */
  readonly due: (container: PooledContainer) => void
  /** Ends it. */
  readonly signal: AbortSignal
}

/** Looks at containers, each in its own time, so that they are not all asked at once. */
export class Health {
  readonly #parts: HealthParts
  readonly #looking = new Set<PooledContainer>()

  constructor(parts: HealthParts) {
    this.#parts = parts
  }

  /** Looks once, tells the roster, and sets the time for the next look. One look at a time. */
  async look(container: PooledContainer): Promise<void> {
    const { core, roster, signal } = this.#parts
    if (this.#looking.has(container)) return
    this.#looking.add(container)
    core.clock.clearTimeout(container.timer)
    const status = await container.container.check(checkTimeoutMs)
    this.#looking.delete(container)
    if (signal.aborted || !roster().has(container)) return
    this.#tell(container, status)
    if (roster().has(container)) this.#schedule(container)
  }

  /** The link to the container is lost: it is looked at now, unless it is known not to be well. */
  linkDown(container: PooledContainer): void {
    if (container.troubledLooks === 0 && !this.#looking.has(container)) this.#parts.due(container)
  }

  #tell(container: PooledContainer, status: ContainerStatus | null): void {
    const roster = this.#parts.roster()
    if (status?.status === 'ok') {
      container.unanswered = 0
      container.troubledLooks = 0
      container.trouble = undefined
      container.showsLife()
      roster.answered(container, status)
      return
    }
    container.troubledLooks += 1
    // One that answers calls is too busy to say how it is.
    if (status === null) container.unanswered = container.showsLife() ? 1 : container.unanswered + 1
    else container.unanswered = 0
    container.trouble =
      status === null ? 'a look at its health brought no answer' : 'its health does not say ok'
    if (container.unanswered >= deadlyFailures)
      roster.lose(container, `${container.unanswered} looks at its health in a row brought no answer`)
    else roster.suspect(container, container.trouble)
  }

  #schedule(container: PooledContainer): void {
    const { core, everyMs, due } = this.#parts
    const { troubledLooks } = container
    const ms = troubledLooks === 0 ? everyMs : Math.min(everyMs, troubledMs * troubledLooks)
    const jitter = 0.75 + core.random() * 0.5
    container.timer = core.clock.setTimeout(() => due(container), ms * jitter)
  }
}
