/** Runs the trajectories of a job, each in one slot, side by side. */
import { describeThrown } from '../../errors.ts'
import type { SandboxExecutor } from '../../executor/sandbox-executor.ts'
import type { Slot } from '../../executor/slot.ts'
import type { JobCall, Trajectory } from './calls-file.ts'
import { notRunRecord, type ResultRecord, ran, recordOf } from './records.ts'
import { type Assignment, Spread } from './spread.ts'

export interface Job {
  readonly executor: Pick<SandboxExecutor, 'execute' | 'resetSlot'>
  readonly slots: readonly Slot[]
  readonly trajectories: readonly Trajectory[]
  /** Slots in whose workspaces there may be something when the job begins. */
  readonly areSlotsUsed: boolean
  /** Nothing is begun after it, and what its listener makes end is not told. */
  readonly signal: AbortSignal
  onCall(call: JobCall): void
  onResult(record: ResultRecord): void
  /** A slot is not used any more. */
  onSlotLost(slot: Slot, reason: string): void
}

/** Resolves when nothing runs and nothing waits. Rejects with what `onResult` throws. */
export async function runJob(job: Job): Promise<void> {
  await new JobRun(job).run()
}

class JobRun {
  readonly #job: Job
  readonly #spread: Spread<Slot>
  readonly #used: Set<Slot>
  readonly #ended = Promise.withResolvers<void>()
  #running = 0
  #lastLoss = 'there never was one'

  constructor(job: Job) {
    this.#job = job
    this.#spread = new Spread(job.trajectories, job.slots)
    this.#used = new Set(job.areSlotsUsed ? job.slots : [])
  }

  run(): Promise<void> {
    this.#dispatch()
    return this.#ended.promise
  }

  #dispatch(): void {
    let next = this.#take()
    for (; next !== undefined; next = this.#take()) void this.#start(next)
    if (this.#running > 0) return
    // With slots that are free nothing waits: what still waits has none left.
    if (!this.#job.signal.aborted) this.#endWaiting()
    this.#ended.resolve()
  }

  #take(): Assignment<Slot> | undefined {
    return this.#job.signal.aborted ? undefined : this.#spread.take()
  }

  async #start({ slot, trajectory }: Assignment<Slot>): Promise<void> {
    this.#running += 1
    try {
      if (await this.#makeReady(slot, trajectory)) {
        await this.#runCalls(slot, trajectory)
        if (slot.state === 'acquired') slot.release()
        this.#spread.giveBack(slot)
      }
      this.#running -= 1
      this.#dispatch()
    } catch (thrown) {
      this.#ended.reject(thrown)
    }
  }

  /** Leases the slot, empty; false when it cannot be had: then it leaves, and the trajectory waits for another one. */
  async #makeReady(slot: Slot, trajectory: Trajectory): Promise<boolean> {
    slot.acquire(trajectory.id)
    if (!this.#used.has(slot)) {
      this.#used.add(slot)
      return true
    }
    const reset = await this.#job.executor.resetSlot(slot)
    if (reset.success) return true
    this.#spread.putBack(trajectory)
    if (this.#job.signal.aborted) return false
    this.#lastLoss = `the reset of ${slot.slotId} at ${slot.containerAddr} failed: ${reset.error}`
    this.#job.onSlotLost(slot, reset.error)
    return false
  }

  async #runCalls(slot: Slot, trajectory: Trajectory): Promise<void> {
    for (const [position, call] of trajectory.calls.entries()) {
      if (this.#job.signal.aborted) return
      const record = await this.#runCall(slot, call)
      if (record === undefined) return
      this.#job.onResult(record)
      if (ran(record.outcome)) continue
      const error = `Not run: call ${call.index} of this trajectory ended as ${record.outcome}, so its workspace cannot be trusted (${record.error})`
      for (const later of trajectory.calls.slice(position + 1)) {
        this.#job.onResult(notRunRecord(later, slot, error))
      }
      return
    }
  }

  /** Undefined when the call was ended by our own closing: it has no result of its own. */
  async #runCall(slot: Slot, call: JobCall): Promise<ResultRecord | undefined> {
    const { tool, args, timeoutMs } = call
    this.#job.onCall(call)
    try {
      const given = timeoutMs === undefined ? {} : { timeoutMs }
      const result = await this.#job.executor.execute(slot, tool, args, given)
      if (this.#job.signal.aborted && result.failure?.code === 'closed') return undefined
      return recordOf(call, slot, result)
    } catch (thrown) {
      return notRunRecord(call, slot, `Not run: ${describeThrown(thrown)}`)
    }
  }

  #endWaiting(): void {
    const error = `Not run: no slot is left (${this.#lastLoss})`
    for (const { calls } of this.#spread.takeWaiting()) {
      for (const call of calls) this.#job.onResult(notRunRecord(call, null, error))
    }
  }
}
