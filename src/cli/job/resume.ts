/** What is left of a job, by the lines of its results file. Pure, but for `readResultsFile`. */
import { stat } from 'node:fs/promises'
import * as v from 'valibot'
import type { Outcome } from '../../executor/results.ts'
import { jsonObject } from '../../protocol/json-object.ts'
import { CommandFailure } from '../failure.ts'
import { errorCode, linesOf, parseLine, readTextFile } from '../text-file.ts'
import type { JobCall, Trajectory } from './calls-file.ts'

/** A line of a results file that is there already. */
export interface OldRecord {
  readonly index: number
  readonly trajectory: string
  readonly tool: string
  readonly success: boolean
  readonly outcome: Outcome
  /** As it stands in the file. */
  readonly line: string
  readonly lineNumber: number
}

/** What a resumed job keeps and runs. */
export interface ResumePlan {
  /** In the order of the file, one for each call at most. */
  readonly kept: readonly OldRecord[]
  readonly waiting: readonly Trajectory[]
}

const outcomes = ['exited', 'timed-out', 'cancelled', 'not-run', 'unknown'] as const

const oldRecord = v.object({
  index: v.pipe(v.number('must be a number'), v.safeInteger('must be a whole number')),
  trajectory: v.string('must be a string'),
  tool: v.string('must be a string'),
  success: v.boolean('must be true or false'),
  outcome: v.picklist(outcomes, `must be one of ${outcomes.join(', ')}`),
  metadata: v.optional(jsonObject),
})

/** The records of a results file; none when the file is not there. */
export async function readResultsFile(path: string): Promise<OldRecord[]> {
  if (!(await isThere(path))) return []
  return parseResults(await readTextFile(path, 'results file'), path)
}

async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (thrown: unknown) => errorCode(thrown) !== 'ENOENT',
  )
}

/** The records of a results file's text. A last line that a crash has cut is left out. */
export function parseResults(text: string, file: string): OldRecord[] {
  const lines = linesOf(text)
  const records: OldRecord[] = []
  for (const [index, line] of lines.entries()) {
    const mayBeCut = index === lines.length - 1 && !text.endsWith('\n')
    if (mayBeCut && !isJson(line)) break
    const { metadata, ...fields } = parseLine(oldRecord, line, file, index + 1)
    records.push({ ...fields, line, lineNumber: index + 1 })
  }
  return records
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line)
    return true
  } catch {
    return false
  }
}

/**
 * Trajectories whose calls all have a line are done; the others run again from their first call, and their lines go.
 * @throws {CommandFailure} when the lines are of other calls
 */
export function planResume(
  trajectories: readonly Trajectory[],
  records: readonly OldRecord[],
  file: string,
): ResumePlan {
  const calls = new Map(trajectories.flatMap(({ calls }) => calls.map((call) => [call.index, call])))
  const latest = new Map<number, OldRecord>()
  for (const record of records) {
    refuseForeign(record, calls.get(record.index), file)
    latest.set(record.index, record)
  }
  const isDone = ({ calls }: Trajectory) => calls.every(({ index }) => latest.has(index))
  const done = new Set(trajectories.filter(isDone).map(({ id }) => id))
  return {
    kept: [...latest.values()].filter(({ trajectory }) => done.has(trajectory)),
    waiting: trajectories.filter(({ id }) => !done.has(id)),
  }
}

function refuseForeign(record: OldRecord, call: JobCall | undefined, file: string): void {
  if (call?.trajectory === record.trajectory && call.tool === record.tool) return
  const found = call === undefined ? 'is not there' : `is ${call.tool} of ${JSON.stringify(call.trajectory)}`
  throw new CommandFailure(
    `${file}:${record.lineNumber}: cannot resume, the results are of other calls: call ${record.index} was ` +
      `${record.tool} of ${JSON.stringify(record.trajectory)}, and in the calls file it ${found}`,
  )
}
