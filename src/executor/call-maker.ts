/** Floor 3: makes the calls of one executor, ready to be submitted. Browser compatible. */
import { type Lane, laneOf } from '../batching/lanes.ts'
import { SandboxUsageError } from '../errors.ts'
import type { Send, SendOptions } from './artifacts.ts'
import { type CheckedItem, checkedArgs, checkedTool } from './batch-items.ts'
import { aloneRequest, ExecutionCall, RawCall, toolCall } from './calls.ts'
import type { Core } from './core.ts'
import { ExecutionIds } from './execution-ids.ts'
import type { SendFile } from './files.ts'
import type { OutputListeners } from './live-output.ts'
import type { CheckedExecuteOptions } from './options.ts'
import { runnerOf, type Slot, type SlotDoor } from './slot.ts'
import type { SlotRunner } from './slot-runner.ts'

/** A tool call as it is asked for, checked but for its slot. */
export interface AskedCall extends CheckedItem {
  readonly signal?: AbortSignal | undefined
  readonly listeners?: OutputListeners | undefined
  /** Default: by tool and timeout. */
  readonly lane?: Lane | undefined
  /** Since when its caller waits. Default: now. */
  readonly queuedAt?: number | undefined
}

/** Fills in what was not asked for. */
export class CallMaker {
  readonly #core: Core
  readonly #door: SlotDoor
  /** What a call may take that says nothing of it. */
  readonly timeoutMs: number
  readonly #ids = new ExecutionIds()

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
    { timeoutMs, executionId, signal, listeners }: CheckedExecuteOptions,
    queuedAt: number | undefined,
  ): ExecutionCall {
    return this.tool({
      slot,
      tool: checkedTool(tool),
      args: checkedArgs(args),
      executionId,
      timeoutMs,
      signal,
      listeners,
      queuedAt,
    })
  }

  /** @throws {SandboxUsageError} when a call with this id is in flight, or the slot is another executor's */
  tool(asked: AskedCall): ExecutionCall {
    const { tool, timeoutMs = this.timeoutMs } = asked
    return toolCall({
      slot: runnerOf(asked.slot, this.#door),
      tool,
      args: asked.args,
      executionId: this.#id(asked.executionId),
      timeoutMs,
      lane: asked.lane ?? laneOf(tool, timeoutMs),
      listeners: asked.listeners,
      signal: asked.signal,
      queuedAt: asked.queuedAt ?? this.#core.clock.now(),
    })
  }

  #id(wanted: string | undefined): string {
    if (wanted === undefined) return this.#ids.next()
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

  /** Submits file calls to the slot. */
  fileSender(slot: Slot): SendFile {
    const runner = runnerOf(slot, this.#door)
    return (file, options) => {
      const parts = this.#aloneParts(runner, file.method === 'PUT' ? 'upload' : 'download', options)
      const call = new RawCall(aloneRequest({ ...parts, route: '/files', file }, { path: file.path }))
      this.#core.submit(call)
      return call.promise
    }
  }

  #aloneParts(slot: SlotRunner, tool: string, { timeoutMs = this.timeoutMs, signal }: SendOptions) {
    return {
      slot,
      tool,
      executionId: this.#ids.next(),
      timeoutMs,
      signal,
      queuedAt: this.#core.clock.now(),
    }
  }
}
