/** Runs what waits of a job: with its server, executor, results file and progress, all of which end with it. */
import type { Inspect } from '../../actors/states.ts'
import { formatEvent, type SandboxEvent } from '../../executor/events.ts'
import { PoolStartError } from '../../executor/pool/acquire-error.ts'
import type { PoolEvent } from '../../executor/pool/pool-events.ts'
import { SlotPool } from '../../executor/pool/slot-pool.ts'
import { SandboxExecutor } from '../../executor/sandbox-executor.ts'
import type { Discovery } from '../../ports/discovery.ts'
import { startServer, startServerAnyway } from '../embedded-server.ts'
import { CommandFailure, exitCodes } from '../failure.ts'
import type { IsolationOption } from '../option-values.ts'
import { note } from '../print.ts'
import { clusterPatienceMs, discoveryOf, type NomadJob, refuseUnready } from './containers.ts'
import { createProgress, type Progress } from './progress.ts'
import type { ReadJob } from './read-job.ts'
import type { ResultRecord } from './records.ts'
import { noResultsFile, openResultsFile } from './results-file.ts'
import { runJob } from './run-job.ts'
import { SlotsLeft } from './slots-left.ts'

export const defaultSlots = 8

export interface JobOptions {
  readonly slots?: number | undefined
  /** Addresses of servers that run already; none: a server is started. */
  readonly container: readonly string[]
  /** The Nomad job whose allocations are the containers. */
  readonly nomad?: NomadJob | undefined
  readonly out?: string | undefined
  readonly isolation?: IsolationOption | undefined
  readonly dataDir?: string | undefined
  /** That of the containers. */
  readonly token?: string | undefined
  readonly verbose: boolean
  /** Takes the inspection events of all actors. */
  readonly inspect?: Inspect | undefined
}

export interface JobListeners {
  onEvent(event: SandboxEvent): void
  onCall(): void
  onResult(record: ResultRecord): void
}

/** How much a run had to run in. */
export interface UsedSlots {
  readonly slots: number
  readonly containers: number
}

/** Resolves with the slots that there were, when nothing of the job is left running. */
export async function runWaiting(
  job: ReadJob,
  options: JobOptions,
  signal: AbortSignal,
  listeners: JobListeners,
): Promise<UsedSlots> {
  const none = { slots: 0, containers: 0 }
  if (job.waiting.length === 0) return none
  await using resources = new AsyncDisposableStack()
  const addresses = await addressesOf(job, options, resources)
  const total = job.waiting.reduce((sum, { calls }) => sum + calls.length, 0)
  const progress = createProgress(total, options.verbose)
  const executor = resources.use(executorOf(options, listeners, progress))
  await refuseUnready(executor, addresses, options.slots, signal)
  if (signal.aborted) return none

  let left: SlotsLeft | undefined
  const pool = await startPool(executor, discoveryOf(addresses, options.nomad), options.slots, (event) => {
    tell(event, progress, options.verbose)
    left?.onEvent(event)
  })
  // What is leased then was interrupted, and its executor is closed.
  resources.defer(() => pool.stop({ graceMs: 0 }))
  left = resources.use(new SlotsLeft(() => pool.stats(), options.nomad === undefined ? 0 : clusterPatienceMs))
  if (left.peak.slots === 0) progress.say('No container answers yet')
  const results =
    options.out === undefined
      ? noResultsFile
      : await openResultsFile(
          options.out,
          job.kept.map(({ line }) => line),
        )
  resources.defer(() => results.close())
  progress.start()
  resources.defer(() => progress.stop())
  signal.addEventListener('abort', () => void executor.close(), { once: true })
  await runJob({
    pool,
    trajectories: job.waiting,
    areSlotsUsed:
      options.container.length > 0 || options.nomad !== undefined || options.dataDir !== undefined,
    signal,
    noSlotLeft: left.none,
    onCall: () => listeners.onCall(),
    onResult: (record) => {
      results.append(record)
      listeners.onResult(record)
      progress.ended(record.success)
    },
    onSlotFaulted: ({ slotId, containerAddr }, reason) => {
      left?.lost(`the reset of ${slotId} at ${containerAddr} failed: ${reason}`)
      progress.say(
        `${slotId} of ${containerAddr} is not used until a reset succeeds; its reset failed: ${reason}`,
      )
    },
  })
  return left.peak
}

/** Containers that are known by their addresses; with Nomad none are. */
async function addressesOf(
  job: ReadJob,
  options: JobOptions,
  resources: AsyncDisposableStack,
): Promise<readonly string[]> {
  if (options.nomad !== undefined) return []
  return options.container.length > 0 ? options.container : [await embed(job, options, resources)]
}

function executorOf({ token, inspect, verbose }: JobOptions, listeners: JobListeners, progress: Progress) {
  return new SandboxExecutor({
    onEvent: (event) => {
      listeners.onEvent(event)
      if (verbose) progress.say(formatEvent(event))
    },
    ...(token === undefined ? {} : { token }),
    ...(inspect === undefined ? {} : { inspect }),
  })
}

async function startPool(
  executor: SandboxExecutor,
  discovery: Discovery,
  slotsPerContainer: number | undefined,
  onEvent: (event: PoolEvent) => void,
): Promise<SlotPool> {
  try {
    return await SlotPool.start({
      executor,
      discovery,
      onEvent,
      ...(slotsPerContainer === undefined ? {} : { slotsPerContainer }),
    })
  } catch (thrown) {
    if (thrown instanceof PoolStartError) throw new CommandFailure(thrown.message, exitCodes.notAllRan)
    throw thrown
  }
}

function tell(event: PoolEvent, progress: Progress, verbose: boolean): void {
  if (verbose) progress.say(formatEvent(event))
  else if (event.type === 'discovery.failed') progress.say(event.message)
  else if (event.type === 'container.changed' && event.to === 'lost')
    progress.say(`The container ${event.container} is lost: ${event.reason}`)
}

async function embed(job: ReadJob, options: JobOptions, resources: AsyncDisposableStack): Promise<string> {
  const { slots = defaultSlots, dataDir, isolation } = options
  const wanted = { slots, dataDir, isolation }
  const server = await (job.isDemo ? startServerAnyway(wanted, (line) => note(line)) : startServer(wanted))
  return resources.use(server).url
}
