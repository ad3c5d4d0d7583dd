/** Floor 2: a job that does not start. Browser compatible. */
import { SandboxError } from '../errors.ts'

/** What is known of a start that failed. */
export interface FailedStart {
  /** The job's ID. */
  readonly job: string
  /** The allocation that failed; missing when nothing was placed, or nothing failed but time. */
  readonly allocId?: string
  /** What its tasks told, oldest first, as `Driver Failure: Failed to pull …`. */
  readonly events?: readonly string[]
}

/**
 * A sandbox job was registered, or found, and none of its containers starts. Its message says why; the job stays as it
 * is.
 *
 * @example
 * ```ts
 * // not run: needs Nomad
 * try {
 *   await ensureJob({ url, job: 'sandbox', driver: 'docker', image: 'no/such:image' })
 * } catch (error) {
 *   if (error instanceof JobStartError) console.error(error.message, error.events)
 * }
 * ```
 */
export class JobStartError extends SandboxError {
  override name = 'JobStartError'
  /** The job's ID. */
  readonly job: string
  /** The allocation that failed; missing when nothing was placed, or nothing failed but time. */
  readonly allocId?: string
  /** What its tasks told, oldest first, as `Driver Failure: Failed to pull …`. */
  readonly events: readonly string[]

  constructor({ job, allocId, events = [] }: FailedStart, reason: string) {
    super('server', `Job ${job} does not start: ${reason}`)
    this.job = job
    if (allocId !== undefined) this.allocId = allocId
    this.events = events
  }
}
