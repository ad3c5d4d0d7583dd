/** What a discovery told, in order, and a clock on which every pause is over at once. */
import type { Clock } from '../../src/ports/clock.ts'
import type { DiscoveredContainer, Discovery } from '../../src/ports/discovery.ts'

export interface Watched extends AsyncDisposable {
  readonly lists: (readonly DiscoveredContainer[])[]
  readonly troubles: string[]
  /** Resolves when `condition` holds; it is looked at whenever something was told. */
  until(condition: () => boolean): Promise<void>
  /** Ends the watch; resolves when it has ended. */
  stop(): Promise<void>
}

export function watched(discovery: Discovery, heard: () => void = () => {}): Watched {
  const controller = new AbortController()
  const lists: (readonly DiscoveredContainer[])[] = []
  const troubles: string[] = []
  let told = Promise.withResolvers<void>()
  const tell = () => {
    told.resolve()
    told = Promise.withResolvers<void>()
    heard()
  }
  const ended = discovery.watch(
    {
      onChange: (list) => {
        lists.push(list)
        tell()
      },
      onTrouble: ({ message }) => {
        troubles.push(message)
        tell()
      },
    },
    controller.signal,
  )
  const stop = () => {
    controller.abort()
    return ended
  }
  const until = async (condition: () => boolean) => {
    while (!condition()) await told.promise
  }
  return { lists, troubles, until, stop, [Symbol.asyncDispose]: stop }
}

export interface InstantClock extends Clock {
  /** The pauses that were asked for, in milliseconds. */
  readonly pauses: number[]
}

/** Pauses up to `longestMs` are over in the next turn; longer ones, which are time limits, never. */
export function instantClock(longestMs: number): InstantClock {
  const pauses: number[] = []
  return {
    pauses,
    now: () => 0,
    setTimeout: (task, ms) => {
      if (ms > longestMs) return undefined
      pauses.push(ms)
      return setImmediate(task)
    },
    clearTimeout: () => {},
  }
}
