/** A sandbox server without a port: everything but Bun.serve. */
import { join } from 'node:path'
import { createHandler, type Handler } from './handler.ts'
import { type SandboxOptions, type SandboxSettings, sandboxSettings } from './options.ts'
import { type Directories, openDirectories } from './sandbox/directories.ts'
import { prepareIsolation } from './sandbox/prepare-isolation.ts'
import { type ReadyOptions, ReadyShells } from './sandbox/ready-shells.ts'
import { ownerOf, SlotTable } from './slot-table.ts'

export interface Sandbox {
  /** Answers one request, as a fetch handler does. */
  readonly handler: Handler
  /** Kills what runs, waits for its end, and removes what is temporary. Calling it again waits for the same. */
  stop(): Promise<void>
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
  const context = { slots, privateDir, isolation, network, shells, stop: stopping.signal, onCall }

  const stop = async () => {
    stopping.abort()
    await slots.settle()
    await shells.close()
    await dirs.close()
  }
  let stopped: Promise<void> | undefined
  return {
    handler: createHandler({ context, door: settings, dataDir, statefulDir: join(privateDir, 'stateful') }),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}
