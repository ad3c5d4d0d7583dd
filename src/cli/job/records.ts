/** The lines of a results file, as calls become them. Pure. */
import type { ExecutionResult, Outcome } from '../../executor/results.ts'
import type { JobCall } from './calls-file.ts'

/** One line of a results file. */
export interface ResultRecord {
  /** The call's line number in the calls file, from 0. */
  readonly index: number
  readonly trajectory: string
  readonly tool: string
  readonly success: boolean
  readonly outcome: Outcome
  readonly output: string
  readonly error: string
  /** `null` when the call was never given to the executor. */
  readonly execution_id: string | null
  /** `null` when the call never got a slot. */
  readonly slot_id: string | null
  readonly container: string | null
  readonly duration_s: number
  readonly metadata: Readonly<Record<string, unknown>>
}

/** What names a slot in a record. */
export interface RecordSlot {
  readonly slotId: string
  readonly containerAddr: string
}

/** The record of a call that the executor took. */
export function recordOf(call: JobCall, slot: RecordSlot, result: ExecutionResult): ResultRecord {
  return {
    ...callFields(call),
    success: result.success,
    outcome: result.outcome,
    output: result.output,
    error: result.error,
    execution_id: result.executionId,
    slot_id: slot.slotId,
    container: slot.containerAddr,
    duration_s: Math.round(result.timing.totalMs) / 1000,
    metadata: result.metadata,
  }
}

/** The record of a call that the executor was never asked to run. */
export function notRunRecord(call: JobCall, slot: RecordSlot | null, error: string): ResultRecord {
  return {
    ...callFields(call),
    success: false,
    outcome: 'not-run',
    output: '',
    error,
    execution_id: null,
    slot_id: slot?.slotId ?? null,
    container: slot?.containerAddr ?? null,
    duration_s: 0,
    metadata: {},
  }
}

function callFields({ index, trajectory, tool }: JobCall) {
  return { index, trajectory, tool }
}

/** Whether the call ran to an end that the server told. */
export function ran(outcome: Outcome): boolean {
  return outcome === 'exited' || outcome === 'timed-out'
}
