/** Floor 3: the terminal of a slot, as the sugar of slots and leases. Browser compatible. */
import * as v from 'valibot'
import type { TmuxArgs } from '../protocol/tools.ts'
import { checked, count, refuseNonObject } from '../usage.ts'
import { type ExecuteOptions, refuseUnknown } from './options.ts'
import type { ExecutionResult } from './results.ts'

/** Options of `terminal.start`. */
export interface StartTerminalOptions extends ExecuteOptions {
  /** Columns, from 20 to 500. Default 120, or what the terminal has. */
  readonly paneWidth?: number
  /** Rows, from 10 to 200. Default 40, or what the terminal has. */
  readonly paneHeight?: number
}

/** Options of `terminal.sendKeys`. */
export interface SendKeysOptions extends ExecuteOptions {
  /**
   * Wait until a program waits for keys again: the shell at its prompt, a full-screen program, a question. At the
   * shell's prompt a text at the end of the keys is then followed by Enter. When that takes too long the call ends with
   * `success: false`, and the terminal lives on. Default `false`.
   */
  readonly block?: boolean
  /** Wait at least so long, in milliseconds. Default 0. */
  readonly minWaitMs?: number
  /** With `block`: wait at most so long, in milliseconds. Default: the call's timeout. */
  readonly maxWaitMs?: number
}

/** Options of `terminal.capture`. */
export interface CaptureOptions extends ExecuteOptions {
  /** Also the lines that have scrolled away. Default `false`: what is on the screen. */
  readonly entire?: boolean
}

/**
 * A terminal that stays in the slot from call to call, until it is stopped or the slot is reset. It starts by itself
 * with the first of these calls.
 *
 * @example
 * ```ts
 * import { SandboxExecutor } from 'sandbox-slots'
 * await using executor = new SandboxExecutor()
 * const [slot] = executor.slots(CONTAINER, 1)
 * await slot.terminal.start({ paneWidth: 80, paneHeight: 24 })
 * await slot.terminal.sendKeys('read -p "Name? " name; echo "Hello, $name"', { block: true })
 * await slot.terminal.sendKeys(['Ada', 'Enter'], { block: true })
 * const { output } = await slot.terminal.capture()
 * console.log(output.split('\n')[2]) // Hello, Ada
 * await slot.terminal.stop()
 * ```
 */
export interface SlotTerminal {
  /** Starts a shell at a terminal. One that is there stays, and gets the size that is asked for. */
  start(options?: StartTerminalOptions): Promise<ExecutionResult>
  /**
   * Types keys: names as tmux has them (`Enter`, `C-c`, `M-x`, `Up`, `F5`, `BSpace`, …), everything else as text.
   * Rejects with a `SandboxUsageError` when they are no strings.
   */
  sendKeys(keys: string | readonly string[], options?: SendKeysOptions): Promise<ExecutionResult>
  /** The screen, as the result's `output`: a line for each row. */
  capture(options?: CaptureOptions): Promise<ExecutionResult>
  /** Ends it with all that runs in it. */
  stop(options?: ExecuteOptions): Promise<ExecutionResult>
}

const bool = v.optional(v.boolean('it must be true or false'))
const wait = v.optional(
  v.pipe(
    v.number('it must be a number of milliseconds'),
    v.finite('it must be a finite number of milliseconds'),
    v.minValue(0, 'it must not be negative'),
  ),
)
const startOptions = v.strictObject({ paneWidth: v.optional(count), paneHeight: v.optional(count) })
const sendKeysOptions = v.strictObject({ block: bool, minWaitMs: wait, maxWaitMs: wait })
const captureOptions = v.strictObject({ entire: bool })
const keyNames = v.strictObject({
  keys: v.union([v.string(), v.array(v.string())], 'it must be a string or an array of strings'),
})

/** The terminal of whoever runs `execute`. */
export function terminalOf(
  execute: (args: TmuxArgs, options: ExecuteOptions) => Promise<ExecutionResult>,
): SlotTerminal {
  return {
    async start(options = {}) {
      refuseNonObject(options, 'terminal options')
      const { paneWidth, paneHeight, ...rest } = options
      refuseUnknown(rest, Object.keys(startOptions.entries), 'terminal options')
      const size = checked(startOptions, { paneWidth, paneHeight }, 'terminal options')
      return await execute({ action: 'start', ...startArgs(size) }, rest)
    },
    async sendKeys(names, options = {}) {
      refuseNonObject(options, 'terminal options')
      const { block, minWaitMs, maxWaitMs, ...rest } = options
      const { keys } = checked(keyNames, { keys: names }, 'terminal keys')
      refuseUnknown(rest, Object.keys(sendKeysOptions.entries), 'terminal options')
      const waits = checked(sendKeysOptions, { block, minWaitMs, maxWaitMs }, 'terminal options')
      return await execute({ action: 'send_keys', keys, ...waitArgs(waits) }, rest)
    },
    async capture(options = {}) {
      refuseNonObject(options, 'terminal options')
      const { entire, ...rest } = options
      refuseUnknown(rest, Object.keys(captureOptions.entries), 'terminal options')
      const { entire: capture_entire } = checked(captureOptions, { entire }, 'terminal options')
      const args = capture_entire === undefined ? {} : { capture_entire }
      return await execute({ action: 'capture', ...args }, rest)
    },
    stop: (options = {}) => execute({ action: 'stop' }, options),
  }
}

function startArgs({ paneWidth, paneHeight }: v.InferOutput<typeof startOptions>) {
  return {
    ...(paneWidth === undefined ? {} : { pane_width: paneWidth }),
    ...(paneHeight === undefined ? {} : { pane_height: paneHeight }),
  }
}

function waitArgs({ block, minWaitMs, maxWaitMs }: v.InferOutput<typeof sendKeysOptions>) {
  return {
    ...(block === undefined ? {} : { block }),
    ...(minWaitMs === undefined ? {} : { min_wait_s: minWaitMs / 1000 }),
    ...(maxWaitMs === undefined ? {} : { max_wait_s: maxWaitMs / 1000 }),
  }
}
