/** A sandbox server without a port: everything but Bun.serve. */
import { join } from 'node:path'
import { Drain } from './drain.ts'
import { createHandler, type Handler } from './handler.ts'
import { type LedgerOptions, openLedger } from './ledger/ledger.ts'
import type { Tell } from './operation/events.ts'
import { type LogEntry, logEntry } from './operation/log.ts'
import { ServerMetrics } from './operation/server-metrics.ts'
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
import { toolNames } from './tools/prepare-call.ts'
import { Extended, type ExtendedOptions } from './v2/extended.ts'

export interface Sandbox {
  /** Answers one request, as a fetch handler does. */
  readonly handler: Handler
  /** For what its owner has to tell to its log. */
  readonly tell: Tell
  /** Whether a slot has a holder that makes its sandboxes; else bubblewrap makes each. */
  readonly hasHolders: boolean
  /**
   * Accepts nothing new, gives what runs its time, kills what is left, and removes what is temporary. Calling it again
   * waits for the same; with no time left, it kills at once.
   */
  stop(options?: StopOptions): Promise<void>
}

/** What tests and benches may change. */
export interface SandboxInternals {
  readonly ready?: ReadyOptions
  readonly extended?: ExtendedOptions
  readonly ledger?: Partial<LedgerOptions>
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
  const { network } = settings
  const isolation = await prepareIsolation({
    kind: settings.isolation,
    run: dirs.run,
    systemDir,
    limits: settings.limits,
    network,
    bwrapPath: settings.bwrapPath,
    owner: ownerOf(firstOwner, 0),
    hiddenDataDir,
  })
  const slots = await SlotTable.open(dataDir, privateDir, settings.slots, firstOwner)
  const metrics = new ServerMetrics({ toolNames, slots: () => slots })
  const tell = teller(metrics, settings)
  const ledger = await openLedger(dataDir, { isDurable: settings.dataDir !== undefined, ...internals.ledger })
  for (const swept of dirs.swept) tell({ type: 'crash.swept', ...swept })
  const shells = new ReadyShells(isolation, internals.ready, tell)
  for (const slot of slots) shells.warm(slot)
  const drain = new Drain()
  // What a crash leaves there is deleted with the rest of the trash at the next start.
  const staging = { directory: slots.trashDir, isSynced: settings.dataDir !== undefined }
  const context = { slots, staging, isolation, network, shells, stop: stopping.signal, drain, tell }
  const extended = new Extended(
    context,
    ledger,
    { hasToken: settings.token !== undefined, maxFileBytes: settings.limits.fileBytes },
    internals.extended,
  )

  const settled = async () => {
    await drain.empty()
    await slots.settle()
  }
  const stop = async (drainTimeoutMs: number) => {
    drain.begin(drainTimeoutMs)
    tell({ type: 'server.stopping', drainTimeoutMs, executing: slots.executing })
    const timer = setTimeout(() => stopping.abort(), drainTimeoutMs)
    await Promise.race([settled(), aborted(stopping.signal)])
    clearTimeout(timer)
    stopping.abort()
    await settled()
    await shells.close()
    await ledger.close()
    await dirs.close()
  }
  let stopped: Promise<void> | undefined
  return {
    handler: createHandler({
      ...{ context, extended, metrics, door: settings, dataDir },
      statefulDir: join(privateDir, 'stateful'),
    }),
    tell,
    hasHolders: isolation.kind === 'bubblewrap' && isolation.hasHolders,
    stop: async (options) => {
      const { drainTimeoutMs } = stopSettings(options)
      if (drainTimeoutMs === 0) stopping.abort()
      stopped ??= stop(drainTimeoutMs)
      await stopped
    },
  }
}

/** Tells metrics, log and test what happens. */
function teller(metrics: ServerMetrics, { onLog, onCall }: SandboxSettings): Tell {
  return (event) => {
    metrics.tell(event)
    const entry = onLog === undefined ? null : logEntry(event, new Date())
    if (entry !== null) logTo(entry, onLog)
    if (event.type === 'call.started') onCall?.({ ...event, type: 'started' })
    if (event.type === 'call.finished' && event.outcome !== 'not-run')
      onCall?.({ ...event, type: 'finished' })
  }
}

/** A log that throws must not cost a call its result; its error is reported as uncaught. */
function logTo(entry: LogEntry, onLog: SandboxSettings['onLog']): void {
  try {
    onLog?.(entry)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (signal.aborted) resolve()
  signal.addEventListener('abort', () => resolve(), { once: true })
  return promise
}
