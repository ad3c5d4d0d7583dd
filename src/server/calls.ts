/** One tool call on its way through the server: checked, in line for its slot, run. */
import * as v from 'valibot'
import { describeThrown } from '../errors.ts'
import type { ExecutionResponseBody } from '../protocol/execution.ts'
import { jsonObject } from '../protocol/json-object.ts'
import type { Drain } from './drain.ts'
import type { Staging } from './files/write-file.ts'
import type { Tell, ToldCall } from './operation/events.ts'
import { outcomeOf, outputBytesOf } from './operation/outcome.ts'
import type { Isolation } from './sandbox/isolation.ts'
import type { ReadyHealth, ReadyShells } from './sandbox/ready-shells.ts'
import { runCommand } from './sandbox/run-command.ts'
import type { OnOutput } from './sandbox/shell.ts'
import type { Slot, SlotTable } from './slot-table.ts'
import { prepareCall } from './tools/prepare-call.ts'
import { check, failed, type PreparedCall, type ToolResult, wellFormed } from './tools/tool.ts'

/** In seconds: one day. */
export const MAX_TIMEOUT = 86_400

/** Everything that calls share. */
export interface ServerContext {
  readonly slots: SlotTable
  readonly staging: Staging
  readonly isolation: Isolation
  /** Whether a command may have the machine's network. */
  readonly network: boolean
  readonly shells: ReadyShells
  /** Kills what runs. */
  readonly stop: AbortSignal
  readonly drain: Drain
  readonly tell: Tell
}

const timeoutMessage = `must be a number of seconds above 0 and at most ${MAX_TIMEOUT}`

const callFields = v.object({
  slot_id: v.optional(wellFormed, ''),
  tool: v.optional(wellFormed, ''),
  args: v.optional(jsonObject, {}),
  execution_id: v.nullish(wellFormed, null),
  timeout: v.optional(
    v.pipe(
      v.number(timeoutMessage),
      v.check((seconds) => seconds > 0 && seconds <= MAX_TIMEOUT, timeoutMessage),
    ),
    30,
  ),
})

/** `refused`: nothing ran, since the request itself is wrong. */
export interface CallAnswer {
  readonly refused: boolean
  readonly body: ExecutionResponseBody
}

/** What a caller may do to a call beside waiting for its answer. */
export interface CallHooks {
  /**
   * Kills the command and all its processes; the answer comes when they are dead, with the output so far. One that has
   * not begun never does, and is answered at once.
   */
  readonly cancel?: AbortSignal
  /** Told of the output as it is printed. */
  readonly onOutput?: OnOutput
  /** Waited for in the call's turn, before anything of it runs; when it rejects, nothing does. */
  readonly beforeRun?: () => Promise<void>
}

/** Runs one request of `/execute`, or one item of `/batch`. Never rejects. */
export async function answerCall(context: ServerContext, request: unknown): Promise<CallAnswer> {
  const call = checkCall(context, request)
  if (call.kind === 'answered') return call.answer
  return { refused: false, body: { ...(await call.run({})), execution_id: call.executionId } }
}

/** A request that was checked: answered already, or ready to get in line for its slot. */
export type CheckedCall =
  | { readonly kind: 'answered'; readonly answer: CallAnswer }
  | {
      readonly kind: 'runnable'
      readonly executionId: string | null
      readonly timeoutS: number
      /** Never rejects. */
      readonly run: (hooks: CallHooks) => Promise<ToolResult>
    }

export function checkCall(
  context: ServerContext,
  request: unknown,
  protocol: 'base' | 'extended' = 'base',
): CheckedCall {
  const fields = check(callFields, request)
  if (!fields.ok) return answered(failed(fields.error), idOf(request), true)
  const { slot_id, tool, args, execution_id: executionId, timeout: timeoutS } = fields.value
  const told: ToldCall = { slotId: slot_id, tool, executionId }
  const refused = (error: string, isWrong = false) => {
    tellNotRun(context, told)
    return answered(failed(error), executionId, isWrong)
  }
  const slot = context.slots.get(slot_id)
  if (slot === undefined) return refused(`Unknown slot: ${slot_id}`)
  const prepared = prepareCall(tool, args, protocol)
  if (prepared === undefined) return refused(`Unknown tool: ${tool}`)
  if (!prepared.ok) return refused(prepared.error, true)
  const run = (hooks: CallHooks) => runInSlot(context, slot, { ...hooks, told, timeoutS }, prepared.value)
  return { kind: 'runnable', executionId, timeoutS, run }
}

function answered(result: ToolResult, executionId: string | null, refused = false): CheckedCall {
  return { kind: 'answered', answer: { refused, body: { ...result, execution_id: executionId } } }
}

function tellNotRun({ tell }: ServerContext, told: ToldCall): void {
  tell({ type: 'call.finished', ...told, outcome: 'not-run', queuedMs: 0, durationMs: 0, outputBytes: 0 })
}

interface CallOptions extends CallHooks {
  readonly told: ToldCall
  readonly timeoutS: number
}

async function runInSlot(
  context: ServerContext,
  slot: Slot,
  { told, timeoutS, cancel, onOutput, beforeRun }: CallOptions,
  call: PreparedCall,
): Promise<ToolResult> {
  const { tell, stop, shells, isolation, network, staging } = context
  const { workspace, owner, sessions } = slot
  const signals = { stop, cancel }
  const queuedAt = performance.now()
  let hasBegun = false
  const result = await inTurn(slot, cancel, async () => {
    try {
      await beforeRun?.()
    } catch (thrown) {
      return { ...failed(`Not run: ${describeThrown(thrown)}`), code: 'ledger_failed' }
    }
    if (stop.aborted) return { ...failed('Not run: the server stops'), code: 'server_stopping' }
    if (cancel?.aborted === true) return notBegun()
    hasBegun = true
    slot.running = { executionId: told.executionId }
    tell({ type: 'call.started', ...told })
    const startedAt = performance.now()
    let result: ToolResult
    try {
      result = await call({
        ...{ workspace, owner, sessions, staging, isolation, network, timeoutS, signals, onOutput },
        runCommand: (request) => runCommand(shells, slot, request, signals),
      })
    } catch (thrown) {
      result = failed(`The server failed: ${describeThrown(thrown)}`)
    }
    slot.running = null
    tell({
      ...{ type: 'call.finished', ...told, outcome: outcomeOf(result), outputBytes: outputBytesOf(result) },
      queuedMs: startedAt - queuedAt,
      durationMs: performance.now() - startedAt,
    })
    // After the answer is on its way; a call that has followed at once will say so itself.
    setImmediate(() => {
      if (slot.running === null) shells.used(slot)
    })
    return result
  })
  if (!hasBegun) tellNotRun(context, told)
  return result
}

function notBegun(): ToolResult {
  return failed('Not run: the call was cancelled', { cancelled: true })
}

/** Its turn in the slot. A call that is cancelled while it waits is answered at once; its turn does nothing then. */
function inTurn(
  { lock }: Slot,
  cancel: AbortSignal | undefined,
  run: () => Promise<ToolResult>,
): Promise<ToolResult> {
  if (cancel === undefined) return lock.run(run)
  const { promise, resolve } = Promise.withResolvers<ToolResult>()
  const giveUp = () => resolve(notBegun())
  if (cancel.aborted) giveUp()
  cancel.addEventListener('abort', giveUp)
  const turn = lock.run(async () => {
    cancel.removeEventListener('abort', giveUp)
    return cancel.aborted ? notBegun() : await run()
  })
  return Promise.race([turn, promise])
}

/** Runs `POST /reset`. */
export async function answerReset(context: ServerContext, request: unknown): Promise<CallAnswer> {
  const answer = (result: ToolResult, refused = false): CallAnswer => ({
    refused,
    body: { ...result, execution_id: null },
  })
  const fields = check(v.object({ slot_id: v.optional(wellFormed, '') }), request)
  if (!fields.ok) return answer(failed(fields.error), true)
  const slot = context.slots.get(fields.value.slot_id)
  if (slot === undefined) return answer(failed(`Unknown slot: ${fields.value.slot_id}`))
  return slot.lock.run(async () => {
    if (context.stop.aborted)
      return answer({ ...failed('Not reset: the server stops'), code: 'server_stopping' })
    context.shells.discard(slot)
    try {
      await context.slots.reset(slot)
      context.shells.warm(slot)
    } catch (thrown) {
      return answer(failed(`Cannot reset ${slot.id}: ${describeThrown(thrown)}`))
    }
    return answer({ success: true, output: `Reset workspace for ${slot.id}`, error: '', metadata: {} })
  })
}

/** How the sandboxes do, for `GET /health`: nothing when the last one started. */
export function sandboxTrouble({ shells }: ServerContext): object {
  const { failures, reason }: ReadyHealth = shells.health
  return failures === 0 ? {} : { sandbox_failures: failures, sandbox_error: reason }
}

/** What a refused request called itself, so that a batch item finds its way home. */
function idOf(request: unknown): string | null {
  const parsed = v.safeParse(v.object({ execution_id: wellFormed }), request)
  return parsed.success ? parsed.output.execution_id : null
}
