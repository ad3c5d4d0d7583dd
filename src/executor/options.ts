/** Floor 3: the options of executors and calls, and their defaults. Browser compatible. */
import * as v from 'valibot'
import type { Inspect } from '../actors/states.ts'
import type { BatchLimits } from '../batching/take-batches.ts'
import { SandboxUsageError } from '../errors.ts'
import type { Transport } from '../ports/transport.ts'
import type { RetryOptions } from '../retrying/pauses.ts'
import type { Fetch } from '../transport/http-transport.ts'
import { abortSignal, checked, count, functionOf, identifier, milliseconds, text } from '../usage.ts'
import type { SandboxEvent } from './events.ts'
import type { OutputListener, OutputListeners } from './live-output.ts'

/** Options of a `SandboxExecutor`. Times are milliseconds. */
export interface SandboxExecutorOptions {
  /** What a tool may take. Default 30,000. */
  readonly timeoutMs?: number
  /** How long a call may wait for its first post: behind its slot's other calls, and for the tick. Default: no limit. */
  readonly queueTimeoutMs?: number
  /** What provably did not run is tried again. Defaults: 3 attempts, 1,000 ms × attempt ±25 %, at most 10,000 ms. */
  readonly retry?: Partial<RetryOptions>
  /** Calls that come within `windowMs` (default 0: one macrotask) share a POST: at most `maxCalls` (256) and `maxBytes` (900,000). */
  readonly batching?: { readonly windowMs?: number } & Partial<BatchLimits>
  /** Sent as `Authorization: Bearer …`. */
  readonly token?: string
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the runtime's own. */
  readonly fetch?: Fetch
  /** Takes XState's inspection events of every slot and coordinator. One that throws does not disturb the calls. */
  readonly inspect?: Inspect
  /** Receives a plain object for everything that happens. Without it nothing is allocated. */
  readonly onEvent?: (event: SandboxEvent) => void
  /** Instead of HTTP by ky: `token`, `headers` and `fetch` are then its own business. */
  readonly transport?: Transport
}

/** Options of one call. They beat the executor's. */
export interface CallOptions {
  /** What the tool may take, in milliseconds. The call's deadline is its first attempt + `timeoutMs` + 5 s. */
  readonly timeoutMs?: number
  /** Gives the call up. It is seen 4 ms after it fired at the latest. */
  readonly signal?: AbortSignal
}

/** Options of `execute`. */
export interface ExecuteOptions extends CallOptions {
  /** Default: a fresh UUID. One that is in flight is refused. */
  readonly executionId?: string
  /**
   * Receives what the command of `bash` prints, as it prints it: whole characters, in order. Extended servers; asked of another
   * one the call ends `not-run`, code `unsupported`. A listener that throws does not disturb the call;
   * its error is reported as uncaught.
   */
  readonly onStdout?: OutputListener
  /** The same for stderr. */
  readonly onStderr?: OutputListener
}

const delay = v.pipe(
  v.number('it must be a number of milliseconds'),
  v.finite(),
  v.minValue(0, 'it must not be negative'),
)
const optional = v.optional

const executorOptions = v.strictObject({
  timeoutMs: optional(milliseconds, 30_000),
  queueTimeoutMs: optional(milliseconds),
  retry: optional(
    v.strictObject({
      attempts: optional(count, 3),
      delayMs: optional(delay, 1_000),
      maxDelayMs: optional(delay, 10_000),
    }),
    {},
  ),
  batching: optional(
    v.strictObject({
      windowMs: optional(delay, 0),
      maxCalls: optional(count, 256),
      maxBytes: optional(count, 900_000),
    }),
    {},
  ),
  token: optional(text),
  headers: optional(
    v.pipe(v.record(v.string(), v.string()), v.check(areHeaders, 'no request can have such headers')),
  ),
  fetch: optional(functionOf<Fetch>()),
  inspect: optional(v.custom<Inspect>(isObserver, 'it must be a function or an observer')),
  onEvent: optional(functionOf<(event: SandboxEvent) => void>()),
  transport: optional(v.custom<Transport>(isTransport, 'it must have an exchange method')),
})

const callOptions = v.strictObject({ timeoutMs: optional(milliseconds), signal: optional(abortSignal) })

const executeOptions = v.strictObject({
  ...callOptions.entries,
  executionId: optional(identifier),
  onStdout: optional(functionOf<OutputListener>()),
  onStderr: optional(functionOf<OutputListener>()),
})

/** Of a call that takes options of its `own` beside those of `execute`, and what is left of them: all are named. */
export function refuseUnknown(rest: object, own: readonly string[], subject: string): void {
  for (const key in rest) {
    if (key in executeOptions.entries) continue
    const known = [...own, ...Object.keys(executeOptions.entries)].join(', ')
    throw new SandboxUsageError(key, `Unknown option ${key} in ${subject}; known: ${known}`)
  }
}

const closeOptions = v.strictObject({ graceMs: optional(delay) })

/** The options of an executor, complete. */
export type CheckedExecutorOptions = v.InferOutput<typeof executorOptions>

/** Throws `SandboxUsageError`. */
export function checkedExecutorOptions(options: unknown): CheckedExecutorOptions {
  const complete = checked(executorOptions, options, 'SandboxExecutor options')
  const { token } = complete
  // It is a secret: not told.
  if (token !== undefined && !areHeaders({ authorization: token })) {
    throw new SandboxUsageError('token', 'Cannot use this token: no request can have it in a header')
  }
  return complete
}

function areHeaders(headers: Record<string, string>): boolean {
  try {
    new Headers(headers)
    return true
  } catch {
    return false
  }
}

export function checkedCallOptions(options: unknown): v.InferOutput<typeof callOptions> {
  return checked(callOptions, options, 'call options')
}

/** The options of one call, complete. */
export interface CheckedExecuteOptions {
  readonly timeoutMs: number | undefined
  readonly signal: AbortSignal | undefined
  readonly executionId: string | undefined
  readonly listeners: OutputListeners | undefined
}

const nothingAsked: CheckedExecuteOptions = {
  timeoutMs: undefined,
  signal: undefined,
  executionId: undefined,
  listeners: undefined,
}

/** The form that most calls come in: nothing but times and signals, all of them right. Others go through the schema. */
const commonOptions = v.custom<CallOptions>((input) => {
  if (typeof input !== 'object' || input === null) return false
  for (const key in input) if (key !== 'signal' && key !== 'timeoutMs') return false
  const { signal, timeoutMs }: { signal?: unknown; timeoutMs?: unknown } = input
  return (
    (signal === undefined || signal instanceof AbortSignal) &&
    (timeoutMs === undefined || (typeof timeoutMs === 'number' && timeoutMs > 0 && timeoutMs < Infinity))
  )
})

export function checkedExecuteOptions(options: unknown): CheckedExecuteOptions {
  if (options === undefined) return nothingAsked
  if (v.is(commonOptions, options)) {
    return {
      timeoutMs: options.timeoutMs,
      signal: options.signal,
      executionId: undefined,
      listeners: undefined,
    }
  }
  const { timeoutMs, signal, executionId, onStdout, onStderr } = checked(
    executeOptions,
    options,
    'call options',
  )
  const listens = onStdout !== undefined || onStderr !== undefined
  return { timeoutMs, signal, executionId, listeners: listens ? { onStdout, onStderr } : undefined }
}

function isTransport(input: unknown): boolean {
  return (
    typeof input === 'object' && input !== null && 'exchange' in input && typeof input.exchange === 'function'
  )
}

function isObserver(input: unknown): boolean {
  return typeof input === 'function' || (typeof input === 'object' && input !== null && 'next' in input)
}

export function checkedCloseOptions(options: unknown): v.InferOutput<typeof closeOptions> {
  return checked(closeOptions, options, 'close options')
}
