/**
 * Floor 1: which calls may share a post.
 *
 * A base server answers a batch when its slowest call has ended. So calls of `execute` meet only others of about the
 * same timeout, and a call that may take long, any but file access, meets few.
 */

/** Calls of one lane may share a post. */
export interface Lane {
  readonly name: string
  /** Calls in one post at most, besides the limit of the executor's options. */
  readonly maxCalls: number
}

/** An unknown command and at most 8 others. */
const unknownDurationCalls = 9

/** A command that is stopped within this time can be waited for. */
const shortTimeoutMs = 1_000

const classLimitsMs = [shortTimeoutMs, 10_000, 60_000, 600_000, Number.POSITIVE_INFINITY]

/** Whole files, 100,000 bytes each that may be six as JSON: so many fit into what is read of an answer, 32 MiB. */
const readCalls = 50

/** Calls that are over soon: they wait for strangers of their kind, however many. */
const quickLanes: ReadonlyMap<string, readonly Lane[]> = new Map([
  ['read_file', lanesOf('reads', readCalls)],
  ['write_file', lanesOf('writes', Infinity)],
])

function lanesOf(name: string, maxCalls: number): Lane[] {
  return classLimitsMs.map((limit) => ({ name: `${name} ≤ ${limit} ms`, maxCalls }))
}

const commandLanes = classLimitsMs.map(
  (limit): Lane => ({
    name: `commands ≤ ${limit} ms`,
    maxCalls: limit <= shortTimeoutMs ? Infinity : unknownDurationCalls,
  }),
)

/** The lane of a call made by `execute`. */
export function laneOf(tool: string, timeoutMs: number): Lane {
  const lanes = quickLanes.get(tool) ?? commandLanes
  let index = 0
  while (timeoutMs > (classLimitsMs[index] ?? Infinity)) index += 1
  const lane = lanes[index]
  if (lane === undefined) throw new RangeError(`No lane for a timeout of ${timeoutMs} ms`)
  return lane
}

/** A lane of its own: for the calls of one `executeBatch`, which asked for one post. */
export function ownLane(name: string): Lane {
  return { name, maxCalls: Infinity }
}

/** The lane of what cannot share a post: a reset, an artifact. */
export const aloneLane: Lane = { name: 'alone', maxCalls: 1 }

/** Results that come back one by one let all tool calls share a post. */
const streamedLane: Lane = { name: 'streamed', maxCalls: Infinity }

/** The lane of a call whose container answers as its calls end. */
export function streamedLaneOf({ lane }: { readonly lane: Lane }): Lane {
  return lane === aloneLane ? aloneLane : streamedLane
}
