/** Floor 3: what calls send. Browser compatible. */
import { SandboxUsageError } from '../errors.ts'

/** What a call sends: a text, or what a text is still to be made of. */
export interface CallBody {
  /** It cannot change any more, and is small. */
  readonly json: object | undefined
  /** There where `json` is not. */
  readonly text: string | undefined
  /** Of the text: exact when it is there, else at most so many. */
  readonly bytes: number
}

/** A tool's arguments. */
export type Args = Readonly<Record<string, unknown>>

/** Bytes of a small body at most: as many as go into a post stay below the usual `maxBytes`. */
export const smallBytes = 3_000

/** The most bytes that a UTF-16 unit comes to in JSON (`\u0000`), and those of a number. */
const [unitBytes, numberBytes] = [6, 25]
/** Of the names in a tool call's request, and what is between them. */
const frameBytes = 120

/**
 * More bytes than the request of this call comes to as JSON, when it is small and its arguments are plain values, so that
 * a copy of them does not change with what the caller does to the original; otherwise undefined.
 */
export function smallBound(names: number, args: Args): number | undefined {
  const prototype: unknown = Object.getPrototypeOf(args)
  if (prototype !== Object.prototype && prototype !== null) return undefined
  let bytes = frameBytes + names * unitBytes
  for (const name in args) {
    const value = args[name]
    bytes += name.length * unitBytes + numberBytes
    if (typeof value === 'string') bytes += value.length * unitBytes
    else if (typeof value !== 'number' && typeof value !== 'boolean' && value != null) return undefined
  }
  return bytes > smallBytes ? undefined : bytes
}

/** The request of a tool call. Those of a post turn into text at once when they are small: that takes half the time. */
export function toolBody(
  slotId: string,
  tool: string,
  args: Args,
  executionId: string,
  timeoutMs: number,
  isLive: boolean,
): CallBody {
  const bytes = smallBound(slotId.length + tool.length + executionId.length, args)
  const sent = bytes === undefined ? args : { ...args }
  const request = { slot_id: slotId, tool, args: sent, execution_id: executionId, timeout: timeoutMs / 1000 }
  const json = isLive ? { ...request, live: true } : request
  return bytes === undefined ? textBody(json) : { json, text: undefined, bytes }
}

/** A body that turns into text at once. @throws {SandboxUsageError} where it does not */
export function textBody(request: object): CallBody {
  const text = stringified(request)
  return { json: undefined, text, bytes: byteLength(text) }
}

const encoder = new TextEncoder()

/** Where most bodies are encoded to be measured, again and again. */
const scratch = new Uint8Array(16_384)

export function byteLength(text: string): number {
  // A UTF-16 unit comes to three bytes at most.
  const fits = text.length * 3 <= scratch.length
  return fits ? encoder.encodeInto(text, scratch).written : encoder.encode(text).byteLength
}

function stringified(request: object): string {
  try {
    return JSON.stringify(request)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new SandboxUsageError('args', `Cannot use these args: they do not turn into JSON (${reason})`)
  }
}
