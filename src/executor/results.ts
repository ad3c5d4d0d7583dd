/** Floor 3: what the caller gets. Browser compatible. */
import { answeredOutcome, type Settlement } from '../batching/settlement.ts'
import type { FailureCode } from '../errors.ts'
import type { ExecutionResponseBody } from '../protocol/execution.ts'

/**
 * How a call ended, seen from here. `exited` and `timed-out`: it ran once, the server says so. `not-run`: it ran 0
 * times, proven. `cancelled` and `unknown`: 0 or 1 times.
 */
export type Outcome = 'exited' | 'timed-out' | 'cancelled' | 'not-run' | 'unknown'

/** What went wrong between here and the tool. */
export interface Failure {
  readonly code: FailureCode
  readonly message: string
  /** How often the call was tried: posts that held it, and attempts to reach its container. */
  readonly attempts: number
}

/** Where the time of a call went, in milliseconds. */
export interface Timing {
  /** From the call to its first attempt: behind the slot's other calls, and for the tick. */
  readonly queuedMs: number
  /** From the first attempt to the end, the tool's own time, retries and pauses included. */
  readonly wireMs: number
  readonly totalMs: number
  /** What the tool took, when the server tells. */
  readonly toolMs?: number
}

/** The result of one tool call, or of a reset. Frozen; safe to turn into JSON. */
export interface ExecutionResult {
  readonly success: boolean
  readonly output: string
  /** Why `success` is false: the tool's error, or what `failure` says. */
  readonly error: string
  readonly executionId: string
  readonly slotId: string
  /** What the server adds: for `bash`, `exit_code` and more. */
  readonly metadata: Readonly<Record<string, unknown>>
  readonly outcome: Outcome
  readonly timing: Timing
  /** There when the infrastructure failed, not the tool. */
  readonly failure?: Failure
}

/** A result in the form that agents' tool interfaces take. */
export interface ToolResult {
  readonly success: boolean
  readonly output: string
  readonly error: string
  readonly metadata: Readonly<Record<string, unknown>>
  /** The executionId. */
  readonly uniqId: string
}

/**
 * Turns a result into an agent's tool result.
 *
 * @example
 * ```ts
 * import { SandboxExecutor, toToolResult } from 'sandbox-slots'
 * await using executor = new SandboxExecutor()
 * const slot = executor.slot({ slotId: 'slot_0', containerAddr: CONTAINER })
 * const { success, output, uniqId } = toToolResult(await executor.execute(slot, 'bash', { command: 'echo hi' }))
 * ```
 */
export function toToolResult(result: ExecutionResult): ToolResult {
  const { success, output, error, metadata, executionId } = result
  return Object.freeze({ success, output, error, metadata, uniqId: executionId })
}

/** What a result is made of besides its settlement. */
export interface ResultContext {
  readonly executionId: string
  readonly slotId: string
  readonly attempts: number
  /** Its caller gave it up. */
  readonly isGivenUp: boolean
}

const emptyMetadata: Readonly<Record<string, unknown>> = Object.freeze({})

/** The result of a call that was answered. `timing` is frozen. */
export function answeredResult(
  body: ExecutionResponseBody,
  context: ResultContext,
  timing: Timing,
): ExecutionResult {
  const { metadata } = body
  const toolSeconds = metadata.duration
  const outcome = answeredOutcome(metadata)
  const result = {
    success: body.success,
    output: body.output,
    error: body.error,
    executionId: context.executionId,
    slotId: context.slotId,
    metadata: Object.freeze(metadata),
    outcome,
    timing:
      typeof toolSeconds === 'number'
        ? Object.freeze({ ...timing, toolMs: Math.round(toolSeconds * 1e6) / 1e3 })
        : timing,
  }
  return Object.freeze(
    outcome === 'cancelled' ? { ...result, failure: cancelledFailure(body, context) } : result,
  )
}

/** The server ended it: for its caller, or for reasons of its own. */
function cancelledFailure({ error }: ExecutionResponseBody, { isGivenUp, attempts }: ResultContext): Failure {
  return Object.freeze({ code: isGivenUp ? 'aborted' : 'interrupted', message: error, attempts })
}

/** The result of a call that brought no answer. `timing` is frozen. */
export function failedResult(
  settlement: Exclude<Settlement, { kind: 'answered' }>,
  context: ResultContext,
  timing: Timing,
): ExecutionResult {
  const { outcome, code, message } = settlement
  return Object.freeze({
    success: false,
    output: '',
    error: message,
    executionId: context.executionId,
    slotId: context.slotId,
    metadata: emptyMetadata,
    outcome,
    timing,
    failure: Object.freeze({ code, message, attempts: context.attempts }),
  })
}

/** How a settlement counts: for events. */
export function outcomeOf(settlement: Settlement): {
  outcome: Outcome
  success: boolean
  code?: FailureCode
} {
  if (settlement.kind === 'failed') {
    return { outcome: settlement.outcome, success: false, code: settlement.code }
  }
  const { value } = settlement
  if (!isRecord(value)) return { outcome: 'exited', success: false }
  const outcome = isRecord(value.metadata) ? answeredOutcome(value.metadata) : 'exited'
  return { outcome, success: value.success === true }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
