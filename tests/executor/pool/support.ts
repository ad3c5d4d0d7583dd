/** A pool over scripted containers, whose discovery lists what the test says. */
import type { SandboxExecutorOptions } from '../../../src/executor/options.ts'
import type { PoolEvent } from '../../../src/executor/pool/pool-events.ts'
import type { SlotPoolOptions } from '../../../src/executor/pool/pool-options.ts'
import { SlotPool } from '../../../src/executor/pool/slot-pool.ts'
import type { DiscoveredContainer, DiscoveryListeners } from '../../../src/ports/discovery.ts'
import { type Scripted, scripted, settled } from '../../support/scripted-container.ts'

/** A discovery that lists what the test says. */
export function manual(first: readonly DiscoveredContainer[]) {
  let listeners: DiscoveryListeners | undefined
  return {
    watch: async (told: DiscoveryListeners, signal: AbortSignal) => {
      listeners = told
      told.onChange(first)
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
    },
    list: (containers: readonly DiscoveredContainer[]) => listeners?.onChange(containers),
  }
}

export interface Started extends Scripted {
  readonly pool: SlotPool
  readonly discovery: ReturnType<typeof manual>
  readonly poolEvents: PoolEvent[]
}

/** Containers of two slots each, unless the options say otherwise. */
export async function start(
  addresses: string[],
  options: Partial<SlotPoolOptions> = {},
  executorOptions: SandboxExecutorOptions = {},
): Promise<Started> {
  const script = scripted(executorOptions)
  script.health = () => Response.json({ status: 'ok', slots: 2 })
  script.automatic()
  const discovery = manual(addresses.map((addr) => ({ addr })))
  const poolEvents: PoolEvent[] = []
  const pool = await SlotPool.start({
    discovery,
    executor: script.executor,
    healthCheckMs: 1_000,
    onEvent: (event) => poolEvents.push(event),
    ...options,
  })
  const stop = async () => {
    await pool.stop({ graceMs: 0 })
    await script.executor.close({ graceMs: 0 })
  }
  return Object.assign(script, { pool, discovery, poolEvents, [Symbol.asyncDispose]: stop })
}

/** Lets time pass, and what comes with it happen. */
export async function pass(script: Scripted, ms: number): Promise<void> {
  for (let elapsed = 0; elapsed < ms; elapsed += 250) {
    script.clock.increment(250)
    await settled()
  }
}
