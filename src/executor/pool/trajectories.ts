/** Floor 3: agent runs, each with its own slot from its first call to its end. Browser compatible. */
import { notRun } from '../../batching/settlement.ts'
import { describeThrown } from '../../errors.ts'
import type { ExecuteOptions } from '../options.ts'
import type { ExecutionResult } from '../results.ts'
import type { ArgsOf } from '../slot.ts'
import { AcquireError } from './acquire-error.ts'
import { type Lease, notRunResult, type ReleaseOptions } from './lease.ts'

/** A trajectory that has a slot, or waits for one. */
interface Trajectory {
  readonly lease: Promise<Lease>
  /** Gives up the wait for a slot. */
  readonly giveUp: AbortController
  /** Calls that wait for the slot. */
  waiting: number
}

/** Gets a trajectory its slot. */
export type AcquireFor = (trajectoryId: string, signal: AbortSignal) => Promise<Lease>

/** One slot for each trajectory. */
export class Trajectories {
  readonly #running = new Map<string, Trajectory>()
  readonly #acquire: AcquireFor
  readonly #now: () => number

  constructor(acquire: AcquireFor, now: () => number) {
    this.#acquire = acquire
    this.#now = now
  }

  async run<T extends string>(
    trajectoryId: string,
    tool: T,
    args: ArgsOf<T>,
    options: ExecuteOptions,
  ): Promise<ExecutionResult> {
    const since = this.#now()
    const trajectory = this.#running.get(trajectoryId) ?? this.#begin(trajectoryId)
    try {
      const lease = await this.#leaseFor(trajectory, options.signal)
      return await lease.execute(tool, args, options)
    } catch (thrown) {
      if (!(thrown instanceof AcquireError)) throw thrown
      return refused(thrown, options.executionId, this.#now() - since)
    }
  }

  /** Ends a trajectory: its slot goes to the next one. */
  async end(trajectoryId: string, options: ReleaseOptions): Promise<void> {
    const trajectory = this.#running.get(trajectoryId)
    if (trajectory === undefined) return
    this.#running.delete(trajectoryId)
    trajectory.giveUp.abort()
    const lease = await trajectory.lease.catch(() => undefined)
    await lease?.release(options)
  }

  #begin(trajectoryId: string): Trajectory {
    const giveUp = new AbortController()
    const lease = this.#acquire(trajectoryId, giveUp.signal)
    const trajectory = { lease, giveUp, waiting: 0 }
    this.#running.set(trajectoryId, trajectory)
    // Without a slot the trajectory has not begun: its next call tries again.
    lease.catch(() => {
      if (this.#running.get(trajectoryId) === trajectory) this.#running.delete(trajectoryId)
    })
    return trajectory
  }

  async #leaseFor(trajectory: Trajectory, signal: AbortSignal | undefined): Promise<Lease> {
    trajectory.waiting += 1
    try {
      return await (signal === undefined ? trajectory.lease : untilAborted(trajectory.lease, signal))
    } finally {
      trajectory.waiting -= 1
      // Nobody wants the slot any more; once it is there this does nothing.
      if (trajectory.waiting === 0 && signal?.aborted) trajectory.giveUp.abort()
    }
  }
}

async function untilAborted(lease: Promise<Lease>, signal: AbortSignal): Promise<Lease> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(new AcquireError('aborted', 0, 0))
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, lease])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

const codes = { timeout: 'deadline', aborted: 'aborted', stopped: 'closed' } as const

function refused(
  error: AcquireError,
  executionId = crypto.randomUUID() as string,
  waitedMs: number,
): ExecutionResult {
  return notRunResult(notRun(codes[error.failure], describeThrown(error)), '', executionId, waitedMs)
}
