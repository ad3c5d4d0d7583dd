/** Runs the trajectories of a job, each in one slot of a pool, side by side. */
import { describeThrown } from '../../errors.ts'
import { AcquireError } from '../../executor/pool/acquire-error.ts'
import type { Lease } from '../../executor/pool/lease.ts'
import type { SlotPool } from '../../executor/pool/slot-pool.ts'
import type { JobCall, Trajectory } from './calls-file.ts'
import { notRunRecord, type ResultRecord, ran, recordOf } from './records.ts'

export interface Job {
  readonly pool: Pick<SlotPool, 'acquire'>
  readonly trajectories: readonly Trajectory[]
  /** Slots in whose workspaces there may be something when the job begins. */
  readonly areSlotsUsed: boolean
  /** Nothing is begun after it, and what its listener makes end is not told. */
  readonly signal: AbortSignal
  /** No slot is left, and none will come: its reason says why. What waits for one is not run. */
  readonly noSlotLeft: AbortSignal
  onCall(call: JobCall): void
  onResult(record: ResultRecord): void
  /** A slot cannot be used now. */
  onSlotFaulted(lease: Lease, reason: string): void
}

/** Resolves when nothing runs and nothing waits. Rejects with what `onResult` throws. */
export async function runJob(job: Job): Promise<void> {
  const run = new JobRun(job)
  await Promise.all(job.trajectories.map((trajectory) => run.run(trajectory)))
}

class JobRun {
  readonly #job: Job
  readonly #waitUntil: AbortSignal
  readonly #used = new Set<string>()

  constructor(job: Job) {
    this.#job = job
    this.#waitUntil = AbortSignal.any([job.signal, job.noSlotLeft])
  }

  async run(trajectory: Trajectory): Promise<void> {
    const lease = await this.#emptySlot(trajectory)
    if (lease === undefined) {
      if (!this.#job.signal.aborted) this.#refuse(trajectory)
      return
    }
    await this.#runCalls(lease, trajectory)
    // Who gets the slot next empties it: after the last one its workspace stays.
    if (!this.#job.signal.aborted) await lease.release({ reset: false })
  }

  /** Undefined when there is none to be had any more. */
  async #emptySlot({ id }: Trajectory): Promise<Lease | undefined> {
    for (;;) {
      const lease = await this.#slot(id)
      if (lease === undefined || !this.#isUsed(lease)) return lease
      const reset = await lease.reset()
      if (reset.success) return lease
      if (this.#job.signal.aborted) return undefined
      await lease.release({ reset: false })
      this.#job.onSlotFaulted(lease, reset.error)
    }
  }

  async #slot(trajectoryId: string): Promise<Lease | undefined> {
    try {
      return await this.#job.pool.acquire({ trajectoryId, timeoutMs: Infinity, signal: this.#waitUntil })
    } catch (thrown) {
      if (thrown instanceof AcquireError) return undefined
      throw thrown
    }
  }

  /** Whether there may be something in its workspace; from now on there may. */
  #isUsed({ containerAddr, slotId }: Lease): boolean {
    const slot = `${containerAddr} ${slotId}`
    const isUsed = this.#job.areSlotsUsed || this.#used.has(slot)
    this.#used.add(slot)
    return isUsed
  }

  async #runCalls(lease: Lease, trajectory: Trajectory): Promise<void> {
    for (const [position, call] of trajectory.calls.entries()) {
      if (this.#job.signal.aborted) return
      const record = await this.#runCall(lease, call)
      if (record === undefined) return
      this.#job.onResult(record)
      if (ran(record.outcome)) continue
      const error = `Not run: the call of index ${call.index}, earlier in this trajectory, ended as ${record.outcome}, so its workspace cannot be trusted (${record.error})`
      for (const later of trajectory.calls.slice(position + 1)) {
        this.#job.onResult(notRunRecord(later, lease, error))
      }
      return
    }
  }

  /** Undefined when the call was ended by our own closing: it has no result of its own. */
  async #runCall(lease: Lease, call: JobCall): Promise<ResultRecord | undefined> {
    const { tool, args, timeoutMs } = call
    this.#job.onCall(call)
    try {
      const given = timeoutMs === undefined ? {} : { timeoutMs }
      const result = await lease.execute(tool, args, given)
      if (this.#job.signal.aborted && result.failure?.code === 'closed') return undefined
      return recordOf(call, lease, result)
    } catch (thrown) {
      return notRunRecord(call, lease, `Not run: ${describeThrown(thrown)}`)
    }
  }

  #refuse({ calls }: Trajectory): void {
    const error = `Not run: no slot is left (${describeThrown(this.#job.noSlotLeft.reason)})`
    for (const call of calls) this.#job.onResult(notRunRecord(call, null, error))
  }
}
