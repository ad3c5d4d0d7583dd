/** A sandbox server without a port: everything but Bun.serve. */
import { join } from 'node:path'
import { Drain } from './drain.ts'
import { createHandler, type Handler } from './handler.ts'
import {
  type SandboxOptions,
  type SandboxSettings,
  type StopOptions,
  sandboxSettings,
  stopSettings,
} from './options.ts'
import { type Directories, openDirectories } from './sandbox/directories.ts'
import { prepareIsolation } from './sandbox/prepare-isolation.ts'
import { type ReadyOptions, ReadyShells } from './sandbox/ready-shells.ts'
import { ownerOf, SlotTable } from './slot-table.ts'

export interface Sandbox {
  /** Answers one request, as a fetch handler does. */
  readonly handler: Handler
  /**
   * Accepts nothing new, gives what runs its time, kills what is left, and removes what is temporary. Calling it again
   * waits for the same; with no time left, it kills at once.
   */
  stop(options?: StopOptions): Promise<void>
}

/** What tests and benches may change. */
export interface SandboxInternals {
  readonly ready?: ReadyOptions
}

/** Makes the slots and tries the isolation. For tests, and for `startSandboxServer`. */
export async function createSandbox(
  options: SandboxOptions = {},
  internals: SandboxInternals = {},
): Promise<Sandbox> {
  const settings = sandboxSettings(options)
  const dirs = await openDirectories(settings)
  try {
    return await openSandbox(settings, dirs, internals)
  } catch (thrown) {
    await dirs.close().catch(() => {})
    throw thrown
  }
}

async function openSandbox(
  settings: SandboxSettings,
  dirs: Directories,
  internals: SandboxInternals,
): Promise<Sandbox> {
  const { dataDir, privateDir, systemDir, firstOwner, hiddenDataDir } = dirs
  const stopping = new AbortController()
  const { onCall, network } = settings
  const isolation = await prepareIsolation({
    kind: settings.isolation,
    systemDir,
    limits: settings.limits,
    network,
    bwrapPath: settings.bwrapPath,
    owner: ownerOf(firstOwner, 0),
    hiddenDataDir,
  })
  const slots = await SlotTable.open(dataDir, privateDir, settings.slots, firstOwner)
  const shells = new ReadyShells(isolation, internals.ready)
  for (const slot of slots) shells.warm(slot)
  const drain = new Drain()
  const context = { slots, privateDir, isolation, network, shells, stop: stopping.signal, drain, onCall }

  const settled = async () => {
    await drain.empty()
    await slots.settle()
  }
  const stop = async (drainTimeoutMs: number) => {
    drain.begin(drainTimeoutMs)
    const timer = setTimeout(() => stopping.abort(), drainTimeoutMs)
    await Promise.race([settled(), aborted(stopping.signal)])
    clearTimeout(timer)
    stopping.abort()
    await settled()
    await shells.close()
    await dirs.close()
  }
  let stopped: Promise<void> | undefined
  return {
    handler: createHandler({ context, door: settings, dataDir, statefulDir: join(privateDir, 'stateful') }),
    stop: async (options) => {
      const { drainTimeoutMs } = stopSettings(options)
      if (drainTimeoutMs === 0) stopping.abort()
      stopped ??= stop(drainTimeoutMs)
      await stopped
    },
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
