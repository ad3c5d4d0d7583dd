/** Floor 2: registers a sandbox job when it is missing. Browser compatible. */
import * as v from 'valibot'
import { SandboxUsageError } from '../errors.ts'
import type { Clock } from '../ports/clock.ts'
import { realClock } from '../ports/real-clock.ts'
import { abortSignal, checked, milliseconds } from '../usage.ts'
import { AllocationReader } from './allocation-reader.ts'
import { awaitStart, reasonOf } from './await-start.ts'
import { startOf } from './job-start.ts'
import { JobStartError } from './job-start-error.ts'
import { accessFields, type NomadAccess, NomadClient } from './nomad-client.ts'
import { NomadError } from './nomad-error.ts'
import { type CheckedJob, jobFields, nomadJob, type SandboxJob } from './nomad-job.ts'

/** Options of {@link ensureJob}. */
export interface EnsureJobOptions extends NomadAccess, SandboxJob {
  /** How long the first container may take until it answers, in milliseconds. Default 300,000: images are large. */
  readonly startTimeoutMs?: number
  /** Gives up waiting. What is registered stays. */
  readonly signal?: AbortSignal
}

/** What {@link ensureJob} did. */
export interface EnsuredJob {
  /** False: the job was there, and was left alone. */
  readonly registered: boolean
}

const ensureOptions = v.strictObject({
  ...accessFields,
  ...jobFields,
  startTimeoutMs: v.optional(milliseconds, 300_000),
  signal: v.optional(abortSignal),
})

const existingJob = v.object({
  Stop: v.nullish(v.boolean(), false),
  Version: v.nullish(v.number(), 0),
  JobModifyIndex: v.number(),
})
const registration = v.object({ EvalID: v.string(), JobModifyIndex: v.number() })

/** What Nomad says when somebody else registered the job in the meantime. */
const otherWasFaster = /Enforcing job modify index/i

/**
 * Registers a sandbox job when it is missing or stopped, and resolves when the first of its containers answers HTTP. A
 * job that is there is left alone, whatever it looks like; several may ensure the same job at the same time.
 *
 * Rejects with a `SandboxUsageError` for wrong options; with a {@link JobStartError} when the job cannot start, also
 * one that was there: it says why in Nomad's words (an image that cannot be pulled, a server that keeps ending, no
 * machine with room); with a {@link NomadError} when Nomad refuses; with the signal's reason.
 *
 * @example
 * ```ts
 * // not run: needs Nomad
 * const url = 'http://127.0.0.1:4646'
 * await ensureJob({ url, job: 'sandbox', driver: 'raw_exec', command: 'sandbox-slots', count: 2, slots: 64 })
 * const discovery = nomadDiscovery({ url, job: 'sandbox' })
 * ```
 */
export async function ensureJob(
  options: EnsureJobOptions,
  { clock = realClock }: { readonly clock?: Clock } = {},
): Promise<EnsuredJob> {
  const job = checkedEnsureOptions(options)
  const signal = job.signal ?? new AbortController().signal
  signal.throwIfAborted()
  const client = new NomadClient(job, clock)
  const reader = new AllocationReader(client, job.job, job.group)
  const existing = await read(client, job.job, signal)
  if (existing !== undefined && existing.Stop !== true) {
    await refuseFailed(reader, job, existing.Version ?? 0, signal)
    return { registered: false }
  }
  const accepted = await register(client, job, existing?.JobModifyIndex ?? 0, signal)
  if (accepted === undefined) return { registered: false }
  const registered = {
    client,
    reader,
    clock,
    fetch: job.fetch,
    job: job.job,
    group: job.group,
    portLabel: job.portLabel,
    evaluationId: accepted.EvalID,
    sinceIndex: accepted.JobModifyIndex,
  }
  await awaitStart(registered, job.startTimeoutMs, signal)
  return { registered: true }
}

type Checked = v.InferOutput<typeof ensureOptions>

function checkedEnsureOptions(options: unknown): Checked {
  const job = checked(ensureOptions, options, 'ensureJob options')
  const needed: keyof CheckedJob = job.driver === 'docker' ? 'image' : 'command'
  if (job[needed] !== undefined) return job
  throw new SandboxUsageError(
    needed,
    `The option ${needed} is missing in ensureJob options: ${job.driver} needs it`,
  )
}

async function read(
  client: NomadClient,
  job: string,
  signal: AbortSignal,
): Promise<v.InferOutput<typeof existingJob> | undefined> {
  try {
    const path = `job/${encodeURIComponent(job)}`
    const question = { action: `read job ${job}`, method: 'GET', path, schema: existingJob } as const
    return (await client.ask(question, signal)).value
  } catch (thrown) {
    if (thrown instanceof NomadError && thrown.status === 404) return undefined
    throw thrown
  }
}

/** Registers the job as it was read, or not at all: undefined when somebody else was faster. */
async function register(
  client: NomadClient,
  job: Checked,
  JobModifyIndex: number,
  signal: AbortSignal,
): Promise<v.InferOutput<typeof registration> | undefined> {
  const body = { Job: nomadJob(job, job.namespace, job.region), EnforceIndex: true, JobModifyIndex }
  const action = `register job ${job.job}`
  try {
    const question = { action, method: 'PUT', path: 'jobs', body, schema: registration } as const
    return (await client.ask(question, signal)).value
  } catch (thrown) {
    if (thrown instanceof NomadError && otherWasFaster.test(thrown.message)) return undefined
    throw thrown
  }
}

/** One look at a job that is there: what cannot start is told, all else is left to discovery. */
async function refuseFailed(
  reader: AllocationReader,
  { job, group, portLabel }: Checked,
  version: number,
  signal: AbortSignal,
): Promise<void> {
  const { value } = await reader.read({ index: 0, waitMs: 1 }, signal)
  const ours = value.filter(({ TaskGroup, JobVersion }) => TaskGroup === group && JobVersion === version)
  const start = startOf(ours, portLabel)
  if (start.kind === 'failed') throw new JobStartError({ job, ...start }, reasonOf(start))
}
