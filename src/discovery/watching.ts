/** Floor 2: looking again and again, and telling only what changed. Browser compatible. */
import { SandboxError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { DiscoveredContainer, DiscoveryListeners } from '../ports/discovery.ts'
import { pauseMs } from '../retrying/pauses.ts'
import { orAborted, pause } from './time.ts'

/** What a look brought. */
export interface Look {
  readonly containers: readonly DiscoveredContainer[]
  /** The pause before the next look, in milliseconds. Missing: no other look is needed. */
  readonly nextAfterMs?: number
}

/** What watching needs besides a way to look. */
export interface Watching {
  readonly clock: Clock
  readonly random: () => number
  /** The pause after the first failure in a row, in milliseconds; it grows by as much with each further one. */
  readonly delayMs: number
  readonly maxDelayMs: number
}

/** Looks until `signal` fires, telling `listeners`; never rejects. */
export async function keepLooking(
  look: () => Promise<Look>,
  watching: Watching,
  listeners: DiscoveryListeners,
  signal: AbortSignal,
): Promise<void> {
  let failures = 0
  let told: string | undefined
  while (!signal.aborted) {
    let nextAfterMs: number | undefined
    try {
      const found = await orAborted(look(), signal)
      if (found === undefined || signal.aborted) return
      failures = 0
      nextAfterMs = found.nextAfterMs
      const shape = shapeOf(found.containers)
      if (shape !== told) tell(() => listeners.onChange(found.containers))
      told = shape
    } catch (thrown) {
      if (signal.aborted) return
      failures += 1
      nextAfterMs = pauseMs(failures, { attempts: failures, ...watching }, watching.random)
      tell(() => listeners.onTrouble(SandboxError.from(thrown)))
    }
    await pause(watching.clock, nextAfterMs, signal)
  }
}

/** Equal for lists that say the same, in whatever order. */
function shapeOf(containers: readonly DiscoveredContainer[]): string {
  const lines = containers.map(({ addr, allocId, draining }) =>
    JSON.stringify([addr, allocId, draining === true]),
  )
  return lines.sort().join('\n')
}

/** A listener that throws must not end the watch; its error is reported as uncaught. */
function tell(listener: () => void): void {
  try {
    listener()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
