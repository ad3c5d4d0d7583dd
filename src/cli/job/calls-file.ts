/** The calls file: one JSON object a line, checked whole before anything runs. Pure, but for `readCallsFile`. */
import * as v from 'valibot'
import { jsonObject } from '../../protocol/json-object.ts'
import { wrongArgumentOf } from '../../protocol/tools.ts'
import { CommandFailure } from '../failure.ts'
import { linesOf, parseLine, readTextFile } from '../text-file.ts'

/** One tool call of a job. */
export interface JobCall {
  /** Its line number in the calls file, from 0. */
  readonly index: number
  readonly trajectory: string
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
  /** What the tool may take; undefined: the executor's default. */
  readonly timeoutMs: number | undefined
}

/** One agent run: its calls run in order, in one slot. */
export interface Trajectory {
  readonly id: string
  readonly calls: readonly JobCall[]
}

/** In seconds: what servers take at most, one day. */
const longestTimeout = 86_400

const timeoutMessage = `must be a number of seconds above 0 and at most ${longestTimeout}`

const name = v.pipe(
  v.string('must be a string'),
  v.nonEmpty('must not be empty'),
  v.maxLength(200, 'must have at most 200 characters'),
  v.check((input) => input.isWellFormed(), 'must not hold half of a surrogate pair'),
)

const callLine = v.strictObject({
  trajectory: name,
  tool: name,
  args: jsonObject,
  timeout_s: v.optional(
    v.pipe(
      v.number(timeoutMessage),
      v.check((seconds) => seconds > 0 && seconds <= longestTimeout, timeoutMessage),
    ),
  ),
})

export async function readCallsFile(path: string): Promise<JobCall[]> {
  return parseCalls(await readTextFile(path, 'calls file'), path)
}

/** The calls of a file's text. @throws {CommandFailure} that names file, line and what is wrong */
export function parseCalls(text: string, file: string): JobCall[] {
  const lines = linesOf(text)
  if (lines.every((line) => line.trim() === '')) {
    throw new CommandFailure(
      `The calls file ${file} is empty: it must hold one call a line, like ` +
        '{"trajectory": "t1", "tool": "bash", "args": {"command": "echo hi"}}',
    )
  }
  return lines.map((line, index) => {
    const { trajectory, tool, args, timeout_s } = parseLine(callLine, line, file, index + 1)
    refuseWrongArgs(tool, args, `${file}:${index + 1}`)
    const timeoutMs = timeout_s === undefined ? undefined : timeout_s * 1000
    return { index, trajectory, tool, args, timeoutMs }
  })
}

function refuseWrongArgs(tool: string, args: JobCall['args'], at: string): void {
  const wrong = wrongArgumentOf(tool, args)
  if (wrong !== undefined) throw new CommandFailure(`${at}: args.${wrong.name} of ${tool} ${wrong.problem}`)
}

/** The calls by trajectory, in the order in which the trajectories begin. */
export function trajectoriesOf(calls: readonly JobCall[]): Trajectory[] {
  const byId = Map.groupBy(calls, (call) => call.trajectory)
  return [...byId].map(([id, ofIt]) => ({ id, calls: ofIt }))
}
