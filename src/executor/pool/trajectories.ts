/** Floor 3: agent runs, each with its own slot from its first call to its end. Browser compatible. */
import { type Failed, notRun } from '../../batching/settlement.ts'
import { describeThrown, SandboxError } from '../../errors.ts'
import type { Clock } from '../../ports/clock.ts'
import { AbortWatch } from '../abort-watch.ts'
import { checkedArgs, checkedTool } from '../batch-items.ts'
import { Deadlines, type Expiring } from '../deadlines.ts'
import { checkedExecuteOptions, type ExecuteOptions } from '../options.ts'
import type { ExecutionResult } from '../results.ts'
import type { ArgsOf } from '../slot.ts'
import { AcquireError, type AcquireFailure } from './acquire-error.ts'
import { type Lease, notRunResult, type ReleaseOptions } from './lease.ts'

/** What trajectories need. */
export interface TrajectoriesParts {
  readonly clock: Clock
  /** How long a call may wait for its trajectory's slot. */
  readonly waitMs: number
  /** Why a call that came at `since` gets no slot. */
  readonly refusal: (failure: AcquireFailure, since: number) => AcquireError
  /** Gets a trajectory its slot, however long that takes. */
  readonly acquire: (trajectoryId: string, signal: AbortSignal) => Promise<Lease>
}

/** One slot for each trajectory. */
export class Trajectories {
  readonly #parts: TrajectoriesParts
  readonly #running = new Map<string, Trajectory>()
  /** Trajectories whose slot is being given back. */
  readonly #ending = new Map<string, Promise<void>>()
  readonly #deadlines: Deadlines<WaitingCall>
  readonly #aborts = new AbortWatch<WaitingCall>((call) => this.#refuse(call, 'aborted'))

  constructor(parts: TrajectoriesParts) {
    this.#parts = parts
    this.#deadlines = new Deadlines(parts.clock, (call) => this.#refuse(call, 'timeout'))
  }

  async run<T extends string>(
    trajectoryId: string,
    tool: T,
    args: ArgsOf<T>,
    options: ExecuteOptions,
  ): Promise<ExecutionResult> {
    // Misuse is told before it waits for a slot, and has one.
    checkedArgs(checkedTool(tool), args)
    checkedExecuteOptions(options)
    const since = this.#parts.clock.now()
    const trajectory = this.#running.get(trajectoryId) ?? this.#begin(trajectoryId)
    try {
      const lease =
        trajectory.lease ?? (await this.#leaseFor(trajectoryId, trajectory, options.signal, since))
      return await lease.executeSince(since, tool, args, options)
    } catch (thrown) {
      const failure = failureOf(thrown)
      if (failure === undefined) throw thrown
      const { executionId = crypto.randomUUID() } = options
      return notRunResult(failure, '', executionId, this.#parts.clock.now() - since)
    }
  }

  /** Ends a trajectory: its slot goes to the next one. One of the same name begins after it. */
  async end(trajectoryId: string, options: ReleaseOptions): Promise<void> {
    const trajectory = this.#running.get(trajectoryId)
    if (trajectory === undefined) return
    this.#running.delete(trajectoryId)
    const ended = trajectory.end(options)
    this.#ending.set(trajectoryId, ended)
    try {
      await ended
    } finally {
      if (this.#ending.get(trajectoryId) === ended) this.#ending.delete(trajectoryId)
    }
  }

  #begin(trajectoryId: string): Trajectory {
    const before = this.#ending.get(trajectoryId)
    const trajectory = new Trajectory(async (signal) => {
      await before
      return this.#parts.acquire(trajectoryId, signal)
    })
    this.#running.set(trajectoryId, trajectory)
    trajectory.acquired.then(
      (lease) => {
        // It came in the moment in which nobody wanted it any more.
        if (this.#running.get(trajectoryId) !== trajectory) void lease.release({ reset: false })
      },
      () => this.#forget(trajectoryId, trajectory),
    )
    return trajectory
  }

  async #leaseFor(
    trajectoryId: string,
    trajectory: Trajectory,
    signal: AbortSignal | undefined,
    since: number,
  ): Promise<Lease> {
    const { waitMs } = this.#parts
    const call = new WaitingCall(since)
    if (signal?.aborted) this.#refuse(call, 'aborted')
    else if (signal !== undefined) this.#aborts.watch(signal, call)
    if (Number.isFinite(waitMs)) this.#deadlines.watch(call, since + waitMs)
    try {
      return await trajectory.wait(call)
    } finally {
      this.#deadlines.drop(call)
      if (signal !== undefined) this.#aborts.drop(signal, call)
      if (trajectory.isUnwanted) {
        this.#forget(trajectoryId, trajectory)
        trajectory.giveUp()
      }
    }
  }

  #refuse(call: WaitingCall, failure: AcquireFailure): void {
    call.refuse(this.#parts.refusal(failure, call.since))
  }

  /** Without a slot the trajectory has not begun: its next call tries again. */
  #forget(trajectoryId: string, trajectory: Trajectory): void {
    if (this.#running.get(trajectoryId) === trajectory) this.#running.delete(trajectoryId)
  }
}

/** A trajectory that has a slot, or waits for one. */
class Trajectory {
  /** Once it is there. */
  lease: Lease | undefined
  readonly acquired: Promise<Lease>
  readonly #giveUp = new AbortController()
  #waiting = 0

  constructor(acquire: (signal: AbortSignal) => Promise<Lease>) {
    this.acquired = acquire(this.#giveUp.signal).then((lease) => {
      this.lease = lease
      return lease
    })
  }

  /** It has no slot, and no call waits for one any more. */
  get isUnwanted(): boolean {
    return this.lease === undefined && this.#waiting === 0
  }

  /** Leaves the queue. */
  giveUp(): void {
    this.#giveUp.abort()
  }

  /** Waits as long as the call may. */
  async wait(call: WaitingCall): Promise<Lease> {
    this.#waiting += 1
    try {
      return await Promise.race([call.refused, this.acquired])
    } finally {
      this.#waiting -= 1
    }
  }

  async end(options: ReleaseOptions): Promise<void> {
    this.giveUp()
    const lease = await this.acquired.catch(() => undefined)
    await lease?.release(options)
  }
}

/** A call that waits for the slot of its trajectory. */
class WaitingCall implements Expiring<WaitingCall> {
  bucket: Expiring<WaitingCall>['bucket']
  place = 0
  readonly #refused = Promise.withResolvers<never>()

  constructor(readonly since: number) {
    this.refused.catch(() => {})
  }

  get refused(): Promise<never> {
    return this.#refused.promise
  }

  refuse(error: AcquireError): void {
    this.#refused.reject(error)
  }
}

const codes = { timeout: 'deadline', aborted: 'aborted', stopped: 'closed' } as const

/** Why a call found no slot to run in; undefined for anything else. */
function failureOf(thrown: unknown): Failed | undefined {
  if (thrown instanceof AcquireError) return notRun(codes[thrown.failure], describeThrown(thrown))
  const isOver = thrown instanceof SandboxError && thrown.code === 'lease'
  return isOver ? notRun('closed', describeThrown(thrown)) : undefined
}
