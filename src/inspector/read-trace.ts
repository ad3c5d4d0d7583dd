/** Floor 3: reads the text of a trace; what is wrong with it is told by line. Pure. Browser compatible. */
import * as v from 'valibot'
import { type TraceHeader, type TraceRecord, traceHeader, traceRecord, traceVersion } from './records.ts'

/** A recording, read. */
export interface Trace {
  readonly header: TraceHeader
  readonly records: readonly TraceRecord[]
}

/** Why a text is no trace. */
export class TraceError extends Error {
  override name = 'TraceError'
}

/** Throws a {@link TraceError} that names the line at fault. */
export function readTrace(text: string): Trace {
  const [first = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '')
  const header = readHeader(first)
  return { header, records: lines.map((line, index) => readRecord(line, index + 2)) }
}

export function readHeader(line: string): TraceHeader {
  const value = jsonOf(line)
  const parsed = v.safeParse(traceHeader, value)
  if (parsed.success) return parsed.output
  const version = v.safeParse(anyVersion, value)
  if (version.success) {
    throw new TraceError(
      `This trace is of version ${version.output.version}; only version ${traceVersion} can be read here`,
    )
  }
  throw new TraceError('This is no trace: its first line must be {"kind":"trace","version":1,…}')
}

export function readRecord(line: string, lineNumber: number): TraceRecord {
  const value = jsonOf(line)
  if (value === undefined) throw new TraceError(`Line ${lineNumber} of the trace is no JSON: it may be cut`)
  return checkedRecord(value, `Line ${lineNumber}`)
}

export function checkedRecord(value: unknown, where: string): TraceRecord {
  const parsed = v.safeParse(traceRecord, value)
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  const path = v.getDotPath(issue)
  throw new TraceError(
    `${where} of the trace is no record${path === null ? '' : ` (${path})`}: ${issue.message}`,
  )
}

const anyVersion = v.object({ kind: v.literal('trace'), version: v.union([v.number(), v.string()]) })

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
