/** Types: what comes back, and what can be told from it. Nothing here runs: tsc judges it. */
import {
  type ContainerStatus,
  type ExecutionResult,
  type Failure,
  type FailureCode,
  isSandboxError,
  type Outcome,
  type ReadArtifactResult,
  type SandboxErrorCode,
  type SandboxEvent,
  type SandboxExecutor,
  type Slot,
  type SlotState,
  type ToolResult,
  type toToolResult,
} from 'sandbox-slots'
import { holds, type Same } from './same.ts'

export function result(result: ExecutionResult): string {
  holds<Same<Outcome, 'exited' | 'timed-out' | 'cancelled' | 'not-run' | 'unknown'>>()
  holds<Same<ExecutionResult['failure'], Failure | undefined>>()
  holds<Same<ExecutionResult['metadata'], Readonly<Record<string, unknown>>>>()
  holds<Same<ReturnType<typeof toToolResult>, ToolResult>>()
  // @ts-expect-error A result is frozen.
  result.success = true
  // @ts-expect-error A failure is there only when something failed.
  result.failure.code.length
  // @ts-expect-error What the server adds is unknown.
  result.metadata.exit_code.toFixed()
  // @ts-expect-error There is no such outcome.
  if (result.outcome === 'failed') return ''
  // @ts-expect-error There is no such code.
  if (result.failure?.code === 'timeout') return ''
  // @ts-expect-error JSON has names of its own.
  result.execution_id.length
  return told(result.outcome)
}

/** Who handles each outcome has handled all. */
function told(outcome: Outcome): string {
  switch (outcome) {
    case 'exited':
    case 'timed-out':
      return 'ran once'
    case 'not-run':
      return 'ran 0 times'
    case 'cancelled':
    case 'unknown':
      return 'ran 0 or 1 times'
    default:
      return outcome satisfies never
  }
}

/** Who forgets one is told. */
export function forgetful(outcome: Outcome): string {
  if (outcome === 'exited' || outcome === 'timed-out' || outcome === 'cancelled') return 'ran'
  // @ts-expect-error `unknown` is left.
  return outcome satisfies 'not-run'
}

export function failures(code: FailureCode, thrown: unknown): void {
  holds<
    Same<
      FailureCode,
      | 'unreachable'
      | 'http-error'
      | 'bad-response'
      | 'missing-result'
      | 'too-large'
      | 'deadline'
      | 'aborted'
      | 'closed'
      | 'slot-faulted'
      | 'container-lost'
      | 'interrupted'
      | 'conflict'
      | 'unsupported'
    >
  >()
  // @ts-expect-error There is no such code.
  if (code === 'lost') return
  if (isSandboxError(thrown)) holds<Same<typeof thrown.code, SandboxErrorCode>>()
  // @ts-expect-error Before that it may be anything.
  thrown.code
}

export async function others(executor: SandboxExecutor, slot: Slot): Promise<void> {
  holds<
    Same<SlotState, 'idle' | 'acquired' | 'executing' | 'cancelling' | 'resetting' | 'releasing' | 'faulted'>
  >()
  holds<Same<typeof slot.state, SlotState>>()
  const health = await executor.healthCheck('http://127.0.0.1')
  holds<Same<typeof health, boolean>>()
  const status = await executor.getContainerStatus('http://127.0.0.1')
  holds<Same<typeof status, ContainerStatus | null>>()
  const file = await slot.artifacts.read('a')
  holds<Same<typeof file, ReadArtifactResult>>()
  const { body } = await slot.download('a')
  holds<Same<typeof body, ReadableStream<Uint8Array<ArrayBuffer>>>>()
  const [first, second] = executor.slots('http://127.0.0.1', 2)
  holds<Same<typeof first, Slot>>()
  // @ts-expect-error Whether there is a second one only the number says.
  second.state
  // @ts-expect-error A state is changed by what is asked of the slot.
  slot.state = 'idle'
}

export function events(event: SandboxEvent): void {
  // @ts-expect-error Which event it is must be known first.
  event.postId
  if (event.type === 'call.settled') holds<Same<typeof event.outcome, Outcome>>()
  if (event.type === 'post.started') holds<Same<typeof event.calls, number>>()
  // @ts-expect-error There is no such event.
  if (event.type === 'call.started') return
}
