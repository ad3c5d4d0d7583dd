/** Where the page's records come from: the program, while it runs, or a file. */
import * as v from 'valibot'
import { checkedRecord, readHeader, readRecord, readTrace } from '../read-trace.ts'
import type { TraceRecord } from '../records.ts'
import { Recording } from './recording.ts'

export type Connection = 'open' | 'lost' | 'none'

/** Reads all that the program has recorded so far. */
export async function loadTrace(): Promise<Recording> {
  const response = await fetch('/trace.jsonl')
  if (!response.ok || response.body === null) throw new Error(`The program answered ${response.status}`)
  let recording: Recording | undefined
  let lineNumber = 0
  for await (const line of linesOf(response.body)) {
    lineNumber += 1
    if (recording === undefined) recording = new Recording(readHeader(line))
    else recording.push(readRecord(line, lineNumber))
  }
  if (recording === undefined) throw new Error('The program sent nothing')
  return recording
}

/** The recording in the text of a file. */
export function recordingOf(text: string): Recording {
  const { header, records } = readTrace(text)
  const recording = new Recording({ ...header, live: false })
  for (const record of records) recording.push(record)
  return recording
}

/** A recording as the text of a file. */
export function traceText({ header, history }: Recording): string {
  const records = [history.base.toRecord(), ...history.slice()]
  return [{ ...header, live: false }, ...records].map((line) => `${JSON.stringify(line)}\n`).join('')
}

/** Told of what comes. */
export interface FeedListener {
  onRecords(records: readonly TraceRecord[]): void
  onConnection(connection: Connection): void
}

/** Follows the program from where the recording ends; the answer ends it. */
export function follow(recording: Recording, listener: FeedListener): () => void {
  const { head, header } = recording
  const source = new EventSource(`/events?of=${header.startedAt}&after=${head.n + 1}`)
  source.addEventListener('open', () => listener.onConnection('open'))
  source.addEventListener('error', () => listener.onConnection('lost'))
  source.addEventListener('message', (event) => {
    const lines = v.parse(v.array(v.unknown()), JSON.parse(String(event.data)))
    listener.onRecords(lines.map((line) => checkedRecord(line, 'A line')))
  })
  return () => source.close()
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  for (;;) {
    const { value, done } = await reader.read()
    const lines = (rest + decoder.decode(value, { stream: !done })).split('\n')
    rest = done ? '' : (lines.pop() ?? '')
    for (const line of lines) if (line !== '') yield line
    if (done) return
  }
}
