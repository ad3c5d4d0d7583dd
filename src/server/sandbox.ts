/** A sandbox server without a port: everything but Bun.serve. */
import { mkdir, mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeThrown, SandboxError } from '../errors.ts'
import { removeTree } from './files/remove-tree.ts'
import { createHandler, type Handler } from './handler.ts'
import { type SandboxOptions, type SandboxSettings, sandboxSettings } from './options.ts'
import { prepareIsolation } from './sandbox/isolation.ts'
import { SlotTable } from './slot-table.ts'

export interface Sandbox {
  /** Answers one request, as a fetch handler does. */
  readonly handler: Handler
  /** Kills what runs, waits for its end, and removes what is temporary. Calling it again waits for the same. */
  stop(): Promise<void>
}

/** Makes the slots and tries the isolation. For tests, and for `startSandboxServer`. */
export async function createSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const settings = sandboxSettings(options)
  const dataDir = await openDataDir(settings.dataDir)
  const privateDir = join(dataDir, '.sandbox-slots')
  const temporary = settings.dataDir === undefined ? dataDir : privateDir
  try {
    return await openSandbox(settings, dataDir, privateDir, temporary)
  } catch (thrown) {
    await removeTree(temporary).catch(() => {})
    throw thrown
  }
}

async function openSandbox(
  settings: SandboxSettings,
  dataDir: string,
  privateDir: string,
  temporary: string,
): Promise<Sandbox> {
  await mkdir(privateDir, { recursive: true, mode: 0o700 })
  const stopping = new AbortController()
  const isolation = await prepareIsolation({
    kind: settings.isolation,
    privateDir,
    tmpBytes: settings.limits.tmpBytes,
    bwrapPath: settings.bwrapPath,
  })
  const slots = await SlotTable.open(dataDir, privateDir, settings.slots)
  const context = { slots, privateDir, isolation, stop: stopping.signal, onCall: settings.onCall }

  const stop = async () => {
    stopping.abort()
    await slots.settle()
    await removeTree(temporary)
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

async function openDataDir(dataDir: string | undefined): Promise<string> {
  try {
    if (dataDir === undefined) return await realpath(await mkdtemp(join(tmpdir(), 'sandbox-slots-')))
    await mkdir(dataDir, { recursive: true })
    // Real, so that paths in answers agree with those that the kernel tells.
    return await realpath(dataDir)
  } catch (thrown) {
    const reason = describeThrown(thrown)
    throw new SandboxError('server', `Cannot use the data directory ${dataDir ?? tmpdir()}: ${reason}`, {
      cause: thrown,
    })
  }
}
