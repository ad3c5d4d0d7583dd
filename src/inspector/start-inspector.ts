/** Floor 3: the inspector as others start it. */
import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import type { InspectionEvent } from 'xstate'
import { describeThrown, SandboxError } from '../errors.ts'
import { checked, count, text } from '../usage.ts'
import { isLoopback } from './door.ts'
import { History } from './history.ts'
import { LiveSource } from './live-source.ts'
import { readTrace } from './read-trace.ts'
import { Recorder } from './recorder.ts'
import { redactor, secretsOf } from './redact.ts'
import { type InspectorPage, serveSource } from './serve-source.ts'

/** Where the page is. */
export interface PageOptions {
  /** 0, the default, takes any free one. */
  readonly port?: number
  /** A loopback address: the page is for this machine only. Default `"127.0.0.1"`. */
  readonly host?: string
}

/** Options of {@link startInspector}. */
export interface InspectorOptions extends PageOptions {
  /** How many events can be stepped back through. Default 50,000; counts and totals go on after that. */
  readonly maxEvents?: number
  /** What they may take in memory, about. Default 33,554,432 (32 MiB). */
  readonly maxBytes?: number
  /** Texts to hide wherever they appear, beside what looks like a secret: tokens, for example. */
  readonly secrets?: readonly string[]
}

/** A running inspector. */
export interface Inspector extends InspectorPage {
  /** For the `inspect` option of executors, before they start. Costs nothing that depends on how many look. */
  readonly inspect: (event: InspectionEvent) => void
}

const portOption = v.pipe(
  v.number('it must be a number'),
  v.integer('it must be a whole number'),
  v.minValue(0, 'it must not be negative'),
  v.maxValue(65_535, 'it must be at most 65535'),
)

const pageEntries = {
  port: v.optional(portOption, 0),
  host: v.optional(
    v.pipe(text, v.check(isLoopback, 'it must be a loopback address: 127.0.0.1, ::1 or localhost')),
    '127.0.0.1',
  ),
}

const pageOptions = v.strictObject(pageEntries, 'it must be an object')

const inspectorOptions = v.strictObject(
  {
    ...pageEntries,
    maxEvents: v.optional(v.pipe(count, v.minValue(1_000, 'it must be at least 1000')), 50_000),
    maxBytes: v.optional(v.pipe(count, v.minValue(1_000_000, 'it must be at least 1000000')), 33_554_432),
    secrets: v.optional(v.array(text), []),
  },
  'it must be an object',
)

/**
 * Starts a page that shows what every slot and coordinator is doing, live. It listens on this machine only, and nothing
 * can be changed through it.
 *
 * Throws a `SandboxUsageError` that names the option at fault, and a `SandboxError` with code `server` when the address
 * cannot be used.
 *
 * @example
 * ```ts
 * import { SandboxExecutor } from 'sandbox-slots'
 * import { startInspector } from 'sandbox-slots/inspector'
 * await using inspector = await startInspector()
 * // Open it in a browser:
 * console.log(inspector.url) // http://127.0.0.1:…/
 * await using executor = new SandboxExecutor({ inspect: inspector.inspect })
 * ```
 */
export async function startInspector(options: InspectorOptions = {}): Promise<Inspector> {
  const { host, port, maxEvents, maxBytes, secrets } = checked(inspectorOptions, options, 'inspector options')
  const began = performance.now()
  const now = () => Math.round((performance.now() - began) * 1000) / 1000
  const recorder = new Recorder({ maxRecords: maxEvents, maxBytes }, now)
  const redact = redactor([...secrets, ...secretsOf(process.env)])
  const page = serveSource(new LiveSource(recorder.history, redact, Date.now(), true), { host, port })
  return { ...page, inspect: recorder.inspect }
}

/**
 * Serves the page with a recorded trace in it, as exported from there.
 *
 * Throws a `SandboxError` with code `server` when the file cannot be read, or is no trace: the line at fault is named.
 *
 * @example
 * ```ts
 * import { openTrace } from 'sandbox-slots/inspector'
 * const page = await openTrace('no-such-trace.jsonl').catch((error) => error)
 * console.log(page.url ?? page.message) // Cannot open no-such-trace.jsonl: …
 * ```
 */
export async function openTrace(file: string, options: PageOptions = {}): Promise<InspectorPage> {
  const path = checked(text, file, 'a trace file')
  const { host, port } = checked(pageOptions, options, 'page options')
  const { header, records } = await readTraceFile(path)
  const history = new History({ maxRecords: Math.max(1, records.length), maxBytes: Number.POSITIVE_INFINITY })
  for (const record of records) history.push(record, 0)
  return serveSource(new LiveSource(history, redactor(), header.startedAt, false), { host, port })
}

async function readTraceFile(file: string) {
  try {
    return readTrace(await readFile(file, 'utf8'))
  } catch (thrown) {
    throw new SandboxError('server', `Cannot open ${file}: ${describeThrown(thrown)}`, { cause: thrown })
  }
}
