/** Floor 3: makes the calls of one executor, ready to be submitted. Browser compatible. */
import { type Lane, laneOf } from '../batching/lanes.ts'
import { SandboxUsageError } from '../errors.ts'
import type { Send, SendOptions } from './artifacts.ts'
import { checkedArgs, checkedTool } from './batch-items.ts'
import { BesideSlot } from './beside-slot.ts'
import { type Args, toolBody } from './call-body.ts'
import { aloneRequest, ExecutionCall, needsOf, RawCall } from './calls.ts'
import type { Core } from './core.ts'
import type { SendFile } from './files.ts'
import { LiveOutput } from './live-output.ts'
import { type CheckedExecuteOptions, checkedExecuteOptions } from './options.ts'
import type { CallSlot } from './pending-call.ts'
import { runnerOf, type Slot, type SlotDoor } from './slot.ts'

/** Fills in what was not asked for. */
export class CallMaker {
  readonly #core: Core
  readonly #door: SlotDoor
  /** What a call may take that says nothing of it. */
  readonly timeoutMs: number

  constructor(core: Core, door: SlotDoor, timeoutMs: number) {
    this.#core = core
    this.#door = door
    this.timeoutMs = timeoutMs
  }

  /** The call of `execute`. @throws {SandboxUsageError} */
  asked(
    slot: unknown,
    tool: unknown,
    args: unknown,
    options: unknown,
    queuedAt: number | undefined,
  ): ExecutionCall {
    const asked = checkedExecuteOptions(options)
    const name = checkedTool(tool)
    return this.tool(slot, name, checkedArgs(name, args), asked, undefined, queuedAt)
  }

  /**
   * A tool call, of its own lane unless `lane` is given; its caller waits since `queuedAt`.
   *
   * @throws {SandboxUsageError} when a call with this id is in flight, or the slot is another executor's
   */
  tool(
    slot: unknown,
    tool: string,
    args: Args,
    options: CheckedExecuteOptions,
    lane?: Lane,
    queuedAt = this.#core.clock.now(),
  ): ExecutionCall {
    const { timeoutMs = this.timeoutMs, listeners } = options
    const runner = runnerOf(slot, this.#door)
    const executionId = this.#id(options.executionId)
    const body = toolBody(runner.slotId, tool, args, executionId, timeoutMs, listeners !== undefined)
    // Field by field, and once: objects on the way cost more than all the rest of this.
    return new ExecutionCall({
      executionId,
      hasChosenId: options.executionId !== undefined,
      slot: runner,
      tool,
      route: '/execute',
      lane: lane ?? laneOf(tool, timeoutMs),
      json: body.json,
      text: body.text,
      bytes: body.bytes,
      timeoutMs,
      needs: needsOf(tool, args, listeners),
      live: listeners && new LiveOutput(listeners),
      queuedAt,
      signal: options.signal,
    })
  }

  #id(wanted: string | undefined): string {
    if (wanted === undefined) return this.#core.ids.next()
    if (this.#core.has(wanted)) {
      throw new SandboxUsageError(
        'executionId',
        `Cannot execute call ${wanted}: one with this id is in flight`,
      )
    }
    return wanted
  }

  reset(slot: Slot, options: SendOptions): ExecutionCall {
    const parts = this.#aloneParts(runnerOf(slot, this.#door), 'reset', options)
    return new ExecutionCall(aloneRequest({ ...parts, route: '/reset' }, {}))
  }

  /** Submits artifact calls to the slot. */
  sender(slot: Slot): Send {
    const runner = runnerOf(slot, this.#door)
    return (route, body, options) => {
      const parts = this.#aloneParts(runner, route.slice(1), options)
      const call = new RawCall(aloneRequest({ ...parts, route }, body))
      this.#core.submit(call)
      return call.promise
    }
  }

  /** Submits file calls to the slot; the rest of a download, during which the slot has gone on, waits for nothing there. */
  fileSender(slot: Slot): SendFile {
    const runner = runnerOf(slot, this.#door)
    const beside = new BesideSlot(runner, this.#core)
    return (file, options) => {
      const way = file.rest === undefined ? runner : beside
      const parts = this.#aloneParts(way, file.method === 'PUT' ? 'upload' : 'download', options)
      const call = new RawCall(aloneRequest({ ...parts, route: '/files', file }, { path: file.path }))
      this.#core.submit(call)
      return call.promise
    }
  }

  #aloneParts(slot: CallSlot, tool: string, { timeoutMs = this.timeoutMs, signal }: SendOptions) {
    return {
      slot,
      tool,
      executionId: this.#core.ids.next(),
      timeoutMs,
      signal,
      queuedAt: this.#core.clock.now(),
    }
  }
}
