/** The format of a trace: what is written can be read again, and what is wrong is told by line. */
import { describe, expect, test } from 'bun:test'
import { readTrace } from '../../src/inspector/read-trace.ts'
import { redactor } from '../../src/inspector/redact.ts'
import { SystemState } from '../../src/inspector/system-state.ts'
import { headerLine, stateLine, traceLine } from '../../src/inspector/trace-lines.ts'
import { executorWith, presentOf, recorderWith, runSmallJob } from './support.ts'

const redact = redactor()

async function recordedTrace(maxRecords = 10_000) {
  const recorder = recorderWith({ maxRecords, maxBytes: 10_000_000 })
  await using executor = executorWith(recorder.inspect)
  for (let round = 0; round < 20; round += 1) await runSmallJob(executor)
  const { history } = recorder
  const lines = [
    headerLine(1_700_000_000_000, false),
    stateLine(history.base, redact),
    ...history.slice().map((record) => traceLine(record, redact)),
  ]
  return { text: `${lines.join('\n')}\n`, present: presentOf(history).toRecord() }
}

function folded(text: string): SystemState {
  const state = new SystemState()
  for (const record of readTrace(text).records) state.apply(record)
  return state
}

describe('a trace', () => {
  test('read again, it folds to the same present', async () => {
    const { text, present } = await recordedTrace()
    expect(folded(text).toRecord()).toEqual(present)
  })

  test('the same when its beginning has left the ring', async () => {
    const { text, present } = await recordedTrace(100)
    expect(readTrace(text).records.length).toBe(101)
    expect(folded(text).toRecord()).toEqual(present)
  })

  test('a state in place of steps leads to the same present', async () => {
    const { text, present } = await recordedTrace()
    const { records } = readTrace(text)
    const whole = new SystemState()
    const half = new SystemState()
    for (const record of records) whole.apply(record)
    for (const record of records.slice(0, 100)) half.apply(record)
    half.apply(whole.toRecord(half.n))
    expect(half.toRecord()).toEqual(present)
    expect(half.counts).toEqual(whole.counts)
  })

  test.each([
    ['', 'This is no trace: its first line must be {"kind":"trace","version":1,…}'],
    ['{"a":1}\n', 'This is no trace: its first line must be {"kind":"trace","version":1,…}'],
    [
      '{"kind":"trace","version":7,"startedAt":0,"live":false}\n',
      'This trace is of version 7; only version 1 can be read here',
    ],
    [`${headerLine(0, false)}\n{"kind":"step","n":1`, 'Line 2 of the trace is no JSON: it may be cut'],
    [
      `${headerLine(0, false)}\n\n{"kind":"actor","n":1,"ms":0,"actor":0,"id":7,"chart":"slot","state":"idle"}`,
      'Line 2 of the trace is no record (id): Invalid type: Expected string but received 7',
    ],
  ])('what is wrong is told: %#', (text, message) => {
    expect(() => readTrace(text)).toThrow(message)
  })
})
