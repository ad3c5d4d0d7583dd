/** Floor 3: the kinds of calls there are, and what their callers get. Browser compatible. */
import { aloneLane } from '../batching/lanes.ts'
import type { Settlement } from '../batching/settlement.ts'
import { SandboxUsageError } from '../errors.ts'
import type { ExecutionResponseBody } from '../protocol/execution.ts'
import type { Feature } from '../protocol/health.ts'
import type { OutputListeners } from './live-output.ts'
import { type CallRequest, PendingCall } from './pending-call.ts'
import { answeredResult, type ExecutionResult, failedResult, type Timing } from './results.ts'

const encoder = new TextEncoder()

/** A tool call or a reset. */
export class ExecutionCall extends PendingCall {
  #resolve: (result: ExecutionResult) => void = () => {}
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

/** The request of a tool call, as JSON text. */
export function toolBody(
  slotId: string,
  tool: string,
  args: object,
  executionId: string,
  timeoutMs: number,
  isLive: boolean,
): string {
  const request = { slot_id: slotId, tool, args, execution_id: executionId, timeout: timeoutMs / 1000 }
  return stringified(isLive ? { ...request, live: true } : request)
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
  parts: Omit<CallRequest, 'hasChosenId' | 'lane' | 'needs' | 'body' | 'bytes' | 'live'>,
  body: object,
): CallRequest {
  const text = stringified({ slot_id: parts.slot.slotId, ...body })
  return {
    ...parts,
    hasChosenId: false,
    lane: aloneLane,
    needs: parts.file === undefined ? nothing : fileNeeds,
    body: text,
    bytes: byteLength(text),
  }
}

/** Where most bodies are encoded to be measured, again and again. */
const scratch = new Uint8Array(16_384)

export function byteLength(text: string): number {
  // A UTF-16 unit comes to three bytes at most.
  const fits = text.length * 3 <= scratch.length
  return fits ? encoder.encodeInto(text, scratch).written : encoder.encode(text).byteLength
}

function stringified(request: object): string {
  try {
    return JSON.stringify(request)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SandboxUsageError('args', `Cannot use these args: they do not turn into JSON (${reason})`)
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
