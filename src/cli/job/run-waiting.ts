/** Runs what waits of a job: with its server, executor, results file and progress, all of which end with it. */
import type { Inspect } from '../../actors/states.ts'
import { formatEvent, type SandboxEvent } from '../../executor/events.ts'
import { SandboxExecutor } from '../../executor/sandbox-executor.ts'
import type { Slot } from '../../executor/slot.ts'
import { startServer, startServerAnyway } from '../embedded-server.ts'
import type { IsolationOption } from '../option-values.ts'
import { note } from '../print.ts'
import { slotsOfContainers } from './open-slots.ts'
import { createProgress } from './progress.ts'
import type { ReadJob } from './read-job.ts'
import type { ResultRecord } from './records.ts'
import { noResultsFile, openResultsFile } from './results-file.ts'
import { runJob } from './run-job.ts'

export const defaultSlots = 8

export interface JobOptions {
  readonly slots?: number | undefined
  /** Addresses of servers that run already; none: a server is started. */
  readonly container: readonly string[]
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

/** Resolves with the slots that were used, when nothing of the job is left running. */
export async function runWaiting(
  job: ReadJob,
  options: JobOptions,
  signal: AbortSignal,
  listeners: JobListeners,
): Promise<readonly Slot[]> {
  if (job.waiting.length === 0) return []
  await using resources = new AsyncDisposableStack()
  const addresses = options.container.length > 0 ? options.container : [await embed(job, options, resources)]
  const total = job.waiting.reduce((sum, { calls }) => sum + calls.length, 0)
  const progress = createProgress(total, options.verbose)
  const onEvent = (event: SandboxEvent) => {
    listeners.onEvent(event)
    if (options.verbose) progress.say(formatEvent(event))
  }
  const executor = resources.use(
    new SandboxExecutor({
      onEvent,
      ...(options.token === undefined ? {} : { token: options.token }),
      ...(options.inspect === undefined ? {} : { inspect: options.inspect }),
    }),
  )
  const slots = await slotsOfContainers(executor, addresses, options.slots, signal)
  if (signal.aborted) return []

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
    executor,
    slots,
    trajectories: job.waiting,
    areSlotsUsed: options.container.length > 0 || options.dataDir !== undefined,
    signal,
    onCall: () => listeners.onCall(),
    onResult: (record) => {
      results.append(record)
      listeners.onResult(record)
      progress.ended(record.success)
    },
    onSlotLost: ({ slotId, containerAddr }, reason) =>
      progress.say(`${slotId} of ${containerAddr} is not used any more, its reset failed: ${reason}`),
  })
  return slots
}

async function embed(job: ReadJob, options: JobOptions, resources: AsyncDisposableStack): Promise<string> {
  const { slots = defaultSlots, dataDir, isolation } = options
  const wanted = { slots, dataDir, isolation }
  const server = await (job.isDemo ? startServerAnyway(wanted, (line) => note(line)) : startServer(wanted))
  return resources.use(server).url
}
