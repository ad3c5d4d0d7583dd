/** Floor 2: waits until a container of a new job answers. Browser compatible. */
import ky from 'ky'
import type { Clock } from '../ports/clock.ts'
import { pauseMs } from '../retrying/pauses.ts'
import type { AllocationReader } from './allocation-reader.ts'
import { evaluation, noPlace, startOf } from './job-start.ts'
import { JobStartError } from './job-start-error.ts'
import type { Allocation } from './nomad-allocations.ts'
import { fetchOption, type NomadAccess, type NomadClient } from './nomad-client.ts'
import { NomadError } from './nomad-error.ts'
import { hastyReads, nextIndex, restMs } from './nomad-reads.ts'
import { pause, withinTime } from './time.ts'

/** A registration, and what it takes to see what becomes of it. */
export interface Registered {
  readonly client: NomadClient
  readonly reader: AllocationReader
  readonly clock: Clock
  readonly fetch: NomadAccess['fetch']
  readonly job: string
  readonly group: string
  readonly portLabel: string
  /** The evaluation that places the allocations. */
  readonly evaluationId: string
  /** The job's index: what was created before it is of an older version. */
  readonly sinceIndex: number
}

/** Where the waiting is. */
interface Progress {
  index: number
  hasty: number
  failures: number
  /** The last thing that is known, for a time-out. */
  last: string
}

/** An answer comes at once when something changes; the port of a server that runs opens without a word. */
const waitMs = 1_000
const knockMs = 2_000
const retry = { attempts: Number.POSITIVE_INFINITY, delayMs: 1_000, maxDelayMs: 10_000 }

/** Resolves when a container answers; rejects with a {@link JobStartError} when none will, or none did in time. */
export async function awaitStart(
  registered: Registered,
  startTimeoutMs: number,
  signal: AbortSignal,
): Promise<void> {
  const { clock, job } = registered
  const progress: Progress = { index: 0, hasty: 0, failures: 0, last: 'nothing was placed yet' }
  const isStarted = await withinTime(clock, startTimeoutMs, signal, async (limited) => {
    while (!limited.aborted) if (await looked(registered, progress, limited)) return true
    return false
  })
  if (isStarted) return
  signal.throwIfAborted()
  throw new JobStartError({ job }, `no container answers within ${startTimeoutMs} ms; last: ${progress.last}`)
}

/** One look; true when a container answers. A Nomad that is away is tried again. */
async function looked(registered: Registered, progress: Progress, signal: AbortSignal): Promise<boolean> {
  const { clock } = registered
  try {
    if (await look(registered, progress, signal)) return true
    progress.failures = 0
    await pause(clock, restMs(progress.hasty), signal)
  } catch (thrown) {
    if (signal.aborted) return false
    if (!(thrown instanceof NomadError && thrown.temporary)) throw thrown
    progress.failures += 1
    progress.index = 0
    progress.last = thrown.message
    await pause(clock, pauseMs(progress.failures, retry), signal)
  }
  return false
}

async function look(registered: Registered, progress: Progress, signal: AbortSignal): Promise<boolean> {
  const { reader, clock, job, group, portLabel, sinceIndex } = registered
  const startedAt = clock.now()
  const { value, index } = await reader.read({ index: progress.index, waitMs }, signal)
  progress.hasty = hastyReads(progress.hasty, clock.now() - startedAt)
  progress.index = nextIndex(progress.index, index)
  const isOurs = ({ TaskGroup, CreateIndex }: Allocation) =>
    TaskGroup === group && (CreateIndex ?? 0) >= sinceIndex
  const ours = value.filter(isOurs)
  if (ours.length === 0) return refusedPlace(registered, signal)
  const start = startOf(ours, portLabel)
  if (start.kind === 'failed') throw new JobStartError({ job, ...start }, reasonOf(start))
  if (start.kind === 'waiting') {
    progress.last = start.last ?? 'its allocations are pending'
    return false
  }
  progress.last = `its server runs, and does not answer at ${start.addrs.join(', ')}`
  const knocks = await Promise.all(start.addrs.map((addr) => answers(registered, addr, signal)))
  return knocks.includes(true)
}

/** The sentence for an allocation that failed. */
export function reasonOf({ allocId, reason }: { readonly allocId: string; readonly reason: string }): string {
  return `allocation ${allocId.slice(0, 8)} failed: ${reason}`
}

/** Throws when Nomad found no place; false while it looks for one. */
async function refusedPlace(registered: Registered, signal: AbortSignal): Promise<false> {
  const { client, job, group, evaluationId } = registered
  const path = `evaluation/${encodeURIComponent(evaluationId)}`
  const action = `read the evaluation of job ${job}`
  const { value } = await client.ask({ action, method: 'GET', path, schema: evaluation }, signal)
  const reason = noPlace(value, group)
  if (reason === undefined) return false
  throw new JobStartError({ job }, reason)
}

/** Whether anything speaks HTTP there, whatever it says: the token may be missing. */
async function answers({ clock, fetch }: Registered, addr: string, signal: AbortSignal): Promise<boolean> {
  try {
    const response = await withinTime(clock, knockMs, signal, (limited) =>
      ky(`${addr}/health`, {
        retry: 0,
        timeout: false,
        throwHttpErrors: false,
        redirect: 'manual',
        signal: limited,
        ...fetchOption(fetch),
      }),
    )
    await response.body?.cancel()
    return true
  } catch {
    return false
  }
}
