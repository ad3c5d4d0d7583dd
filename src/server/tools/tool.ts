/** What a tool is to the server: arguments are checked before the call gets in line for its slot. */
import * as v from 'valibot'
import type { ServerCode } from '../../protocol/execution.ts'
import type { Owner } from '../files/open-directory.ts'
import { PathError } from '../files/path-error.ts'
import type { Staging } from '../files/write-file.ts'
import type { CommandSignals } from '../sandbox/alarm.ts'
import type { Isolation } from '../sandbox/isolation.ts'
import type { CommandOutcome, CommandRequest } from '../sandbox/run-command.ts'
import type { OnOutput } from '../sandbox/shell.ts'
import type { Sessions } from '../sessions.ts'

/** Everything that a running tool may use. */
export interface ToolContext {
  readonly workspace: string
  readonly staging: Staging
  /** Whose the files of the workspace are; `null` or missing: the server's. */
  readonly owner?: Owner | null
  /** What lives in the slot from call to call. */
  readonly sessions: Sessions
  readonly isolation: Isolation
  /** Whether a command may have the machine's network. */
  readonly network: boolean
  readonly timeoutS: number
  /** What ends the call before its time. */
  readonly signals: CommandSignals
  /** Who wants to see the output as it is printed. */
  readonly onOutput: OnOutput | undefined
  /** Runs a command in the slot; it ends early when the call is cancelled, or the server stops. */
  runCommand(request: CommandRequest): Promise<CommandOutcome>
}

export interface ToolResult {
  readonly success: boolean
  readonly output: string
  readonly error: string
  readonly metadata: Readonly<Record<string, unknown>>
  /** The server ended the call, not the tool: a client must not take this for the tool's result. */
  readonly code?: ServerCode
}

export type PreparedCall = (context: ToolContext) => Promise<ToolResult>

/** A sentence instead of a value, for input that is refused. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: string }

export interface Tool {
  prepare(args: Readonly<Record<string, unknown>>): Checked<PreparedCall>
}

export function succeeded(output: string, metadata: ToolResult['metadata']): ToolResult {
  return { success: true, output, error: '', metadata }
}

export function failed(error: string, metadata: ToolResult['metadata'] = {}): ToolResult {
  return { success: false, output: '', error, metadata }
}

/** A tool from the schema of its arguments and what it does with them. */
export function defineTool<T>(
  schema: v.GenericSchema<unknown, T>,
  run: (args: T, context: ToolContext) => Promise<ToolResult>,
): Tool {
  return {
    prepare(args) {
      const checked = check(schema, args, 'args.')
      if (!checked.ok) return checked
      return { ok: true, value: (context) => run(checked.value, context) }
    },
  }
}

/** A path that cannot be used is the tool's failure, told in its sentence. */
export async function tellingPathErrors(work: () => Promise<ToolResult>): Promise<ToolResult> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof PathError) return failed(thrown.message)
    throw thrown
  }
}

/** Parses `input`; a refusal names the field and what is wrong with it. */
export function check<T>(schema: v.GenericSchema<unknown, T>, input: unknown, prefix = ''): Checked<T> {
  const parsed = v.safeParse(schema, input, { abortEarly: true })
  if (parsed.success) return { ok: true, value: parsed.output }
  const [issue] = parsed.issues
  const field = v.getDotPath(issue)
  return { ok: false, error: field === null ? issue.message : `${prefix}${field} ${issue.message}` }
}

/** Text that can be encoded as UTF-8. */
export const wellFormed = v.pipe(
  v.string('must be a string'),
  v.check((text) => text.isWellFormed(), 'must not contain lone surrogates'),
)

/** Text that the kernel takes: for paths and commands. */
export const withoutNul = v.pipe(
  wellFormed,
  v.check((text) => !text.includes('\0'), 'must not contain NUL'),
)

export const flag = (otherwise: boolean) => v.optional(v.boolean('must be true or false'), otherwise)
