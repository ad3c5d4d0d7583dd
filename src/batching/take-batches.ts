/** Floor 1: which buffered calls go into which post. */
import type { Lane } from './lanes.ts'

/** What the rules need to know of a call. */
export interface Batchable {
  readonly lane: Lane
  /** Bytes of its JSON text. */
  readonly bytes: number
}

export interface BatchLimits {
  readonly maxCalls: number
  /** Bytes of a whole body. One call that is larger goes alone. */
  readonly maxBytes: number
}

interface OpenBatch<C> {
  readonly lane: Lane
  readonly calls: C[]
  bytes: number
}

/** The brackets of the array; a comma is counted with each call. */
const bracketBytes = 2

/** Splits calls into posts: in order, one lane a post, no post over a limit. Each call is in exactly one. */
export function takeBatches<C extends Batchable>(
  calls: Iterable<C>,
  limits: BatchLimits,
  laneOf: (call: C) => Lane = ownLaneOf,
): C[][] {
  const batches: C[][] = []
  const open = new Map<Lane, OpenBatch<C>>()
  let batch: OpenBatch<C> | undefined
  for (const call of calls) {
    const lane = laneOf(call)
    // Mostly the one of the call before.
    if (batch?.lane !== lane) batch = open.get(lane)
    if (batch !== undefined && fits(batch, call, limits)) {
      batch.calls.push(call)
      batch.bytes += call.bytes + 1
    } else {
      batch = { lane, calls: [call], bytes: bracketBytes + call.bytes + 1 }
      open.set(lane, batch)
      batches.push(batch.calls)
    }
  }
  return batches
}

function ownLaneOf(call: Batchable): Lane {
  return call.lane
}

function fits(batch: OpenBatch<Batchable>, call: Batchable, limits: BatchLimits): boolean {
  const maxCalls = Math.min(limits.maxCalls, batch.lane.maxCalls)
  return batch.calls.length < maxCalls && batch.bytes + call.bytes + 1 <= limits.maxBytes
}

/** Both halves of a post that was too large for the server. */
export function halve<C>(calls: readonly C[]): [C[], C[]] {
  const middle = Math.ceil(calls.length / 2)
  return [calls.slice(0, middle), calls.slice(middle)]
}
