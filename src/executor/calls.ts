/** Floor 3: the kinds of calls there are, and what their callers get. Browser compatible. */
import { aloneLane } from '../batching/lanes.ts'
import type { Settlement } from '../batching/settlement.ts'
import type { ExecutionResponseBody } from '../protocol/execution.ts'
import type { Feature } from '../protocol/health.ts'
import { type CallBody, textBody } from './call-body.ts'
import type { OutputListeners } from './live-output.ts'
import { type CallRequest, PendingCall } from './pending-call.ts'
import { answeredResult, type ExecutionResult, failedResult, type Timing } from './results.ts'

/** Until the promise is there: one for all calls. */
const unresolved: (result: ExecutionResult) => void = () => {}

/** A tool call or a reset. */
export class ExecutionCall extends PendingCall {
  #resolve = unresolved
  // A third of the cost of Promise.withResolvers.
  readonly promise = new Promise<ExecutionResult>((resolve) => {
    this.#resolve = resolve
  })

  protected override resolve(settlement: Settlement, timing: Timing): void {
    this.#resolve(
      settlement.kind === 'failed'
        ? failedResult(settlement, this, timing)
        : answeredResult(settlement.value as ExecutionResponseBody, this, timing),
    )
  }
}

const nothing: readonly Feature[] = []
const fileNeeds: readonly Feature[] = ['files']

/** What base servers would pass over in silence. */
export function needsOf(
  tool: string,
  args: object,
  listeners: OutputListeners | undefined,
): readonly Feature[] {
  const needsIo = tool === 'bash' && ('stdin' in args || 'env' in args || 'cwd' in args)
  if (listeners === undefined && !needsIo) return nothing
  return [...(needsIo ? (['bash-io'] as const) : []), ...(listeners ? (['live-output'] as const) : [])]
}

/** A call that goes alone: its body names the slot and what is asked of it. */
export function aloneRequest(
  parts: Omit<CallRequest, 'hasChosenId' | 'lane' | 'needs' | 'live' | keyof CallBody>,
  body: object,
): CallRequest {
  return {
    ...parts,
    ...textBody({ slot_id: parts.slot.slotId, ...body }),
    hasChosenId: false,
    lane: aloneLane,
    needs: parts.file === undefined ? nothing : fileNeeds,
  }
}

/** How an artifact call ended, before its result is made. */
export interface Raw {
  readonly settlement: Settlement
  readonly attempts: number
}

/** An artifact call. */
export class RawCall extends PendingCall {
  readonly #result = Promise.withResolvers<Raw>()

  get promise(): Promise<Raw> {
    return this.#result.promise
  }

  protected override resolve(settlement: Settlement): void {
    this.#result.resolve({ settlement, attempts: this.attempts })
  }
}
