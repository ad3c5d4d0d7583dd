/** Floor 3: follows a discovery. Browser compatible. */
import type { Clock } from '../../ports/clock.ts'
import type { DiscoveredContainer, Discovery } from '../../ports/discovery.ts'
import { PoolStartError } from './acquire-error.ts'

/** Who is told, and for how long. */
export interface Watch {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** How long the first list may take. */
  readonly limitMs: number
  onChange(containers: readonly DiscoveredContainer[]): void
  onTrouble(message: string): void
}

/** Watches until the signal fires; resolves with the first list, and rejects with `PoolStartError` when none comes. */
export async function watchDiscovery(discovery: Discovery, watch: Watch): Promise<void> {
  const known = Promise.withResolvers<void>()
  let trouble = 'no list of containers came'
  const timer = watch.clock.setTimeout(
    () => known.reject(new PoolStartError(trouble, watch.limitMs)),
    watch.limitMs,
  )
  void discovery.watch(
    {
      onChange: (containers) => {
        watch.onChange(containers)
        known.resolve()
      },
      onTrouble: ({ message }) => {
        trouble = message
        watch.onTrouble(message)
      },
    },
    watch.signal,
  )
  try {
    await known.promise
  } finally {
    watch.clock.clearTimeout(timer)
  }
}
