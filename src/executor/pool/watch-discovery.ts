/** Floor 3: follows a discovery. Browser compatible. */
import { describeThrown } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { DiscoveredContainer, Discovery, DiscoveryTrouble } from '../../ports/discovery.ts'
import { PoolStartError } from './acquire-error.ts'

/** How long the first list may take. */
const firstListMs = 60_000

/** Who is told. */
export interface Watch {
  readonly clock: Clock
  readonly signal: AbortSignal
  onChange(containers: readonly DiscoveredContainer[]): void
  onTrouble(message: string): void
}

/** Watches until the signal fires; resolves with the first list, and rejects with `PoolStartError` when none comes. */
export async function watchDiscovery(discovery: Discovery, watch: Watch): Promise<void> {
  const known = Promise.withResolvers<void>()
  let last = ''
  const listeners = {
    onChange: (containers: readonly DiscoveredContainer[]) => {
      watch.onChange(containers)
      known.resolve()
    },
    onTrouble: ({ message, temporary }: DiscoveryTrouble) => {
      last = `; last: ${message}`
      watch.onTrouble(message)
      if (temporary === false) known.reject(new PoolStartError(message))
    },
  }
  const late = () => known.reject(new PoolStartError(`no list of containers within ${firstListMs} ms${last}`))
  const timer = watch.clock.setTimeout(late, firstListMs)
  discovery.watch(listeners, watch.signal).catch((thrown: unknown) => {
    // The port says that it never does.
    listeners.onTrouble({ message: `the discovery has ended: ${describeThrown(thrown)}`, temporary: false })
  })
  try {
    await known.promise
  } finally {
    watch.clock.clearTimeout(timer)
  }
}
