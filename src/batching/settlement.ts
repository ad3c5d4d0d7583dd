/** Floor 1: how a call ended, before it becomes the caller's result. Plain data. */
import type { FailureCode } from '../errors.ts'

/** A container answered the call. `status` is HTTP's; `value` has passed the route's schema. */
export interface Answered {
  readonly kind: 'answered'
  readonly status: number
  readonly value: unknown
}

/** No usable answer: `not-run` is proven (0 executions), `unknown` is honest (0 or 1), `cancelled` was asked for. */
export interface Failed {
  readonly kind: 'failed'
  readonly outcome: 'not-run' | 'unknown' | 'cancelled'
  readonly code: FailureCode
  readonly message: string
  /** HTTP's, when an answer came. */
  readonly status?: number
}

export type Settlement = Answered | Failed

/** A call that provably did not run. */
export function notRun(code: FailureCode, message: string, status?: number): Failed {
  return { kind: 'failed', outcome: 'not-run', code, message, ...(status === undefined ? {} : { status }) }
}

/** A call that ran once or not at all. */
export function unknownOutcome(code: FailureCode, message: string, status?: number): Failed {
  return { kind: 'failed', outcome: 'unknown', code, message, ...(status === undefined ? {} : { status }) }
}

export const abortedBeforePost: Failed = notRun('aborted', 'Aborted before the call was posted')

/** How the tool of an answered call ended, by what its server says of it. */
export function answeredOutcome(
  metadata: Readonly<Record<string, unknown>>,
): 'exited' | 'timed-out' | 'cancelled' {
  if (metadata.cancelled === true) return 'cancelled'
  return metadata.timeout === true ? 'timed-out' : 'exited'
}
