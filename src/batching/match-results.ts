/** Floor 1: one settlement per call, by executionId; by position only for an item that names no call. */
import * as v from 'valibot'
import { type ExecutionResponseBody, executionResponse, wholeResponses } from '../protocol/execution.ts'
import { notRun, type Settlement, unknownOutcome } from './settlement.ts'

/** What the rules need to know of a call. */
export interface Identified {
  readonly executionId: string
}

/** The settlement of a call that was posted alone: its answer carries its id, or none. */
export function matchOne(call: Identified, body: ExecutionResponseBody, status: number): Settlement {
  if (body.execution_id !== null && body.execution_id !== call.executionId) {
    return unknownOutcome(
      'bad-response',
      `The answer is for call ${body.execution_id}, not for ${call.executionId}`,
      status,
    )
  }
  return answered(body, status)
}

/** The settlements of a batch's calls, in the order of the calls. */
export function matchResults(
  calls: readonly Identified[],
  items: readonly unknown[],
  status: number,
): Settlement[] {
  if (v.is(wholeResponses, items) && areInOrder(calls, items)) {
    return items.map((item) => answered(item, status))
  }
  const parsed = items.map((item) => v.safeParse(executionResponse, item))
  const claims = new Map<string, number[]>()
  for (const [index, item] of parsed.entries()) {
    const id = item.success ? item.output.execution_id : idOfMalformed(items[index])
    if (id === null) continue
    const claimed = claims.get(id)
    if (claimed === undefined) claims.set(id, [index])
    else claimed.push(index)
  }
  return calls.map((call, index) => {
    const claimed = claims.get(call.executionId) ?? []
    if (claimed.length > 1) return doubled(call, claimed.length, status)
    const item = parsed[claimed[0] ?? index]
    return settle(call, item, status)
  })
}

type Parsed = v.SafeParseResult<typeof executionResponse>

/** The common case: each item names the call at its place, so that none can be missing, foreign or doubled. */
function areInOrder(calls: readonly Identified[], items: readonly ExecutionResponseBody[]): boolean {
  return (
    items.length === calls.length &&
    items.every((item, index) => item.execution_id === calls[index]?.executionId)
  )
}

const identified = v.object({ execution_id: v.string() })

/** A malformed item still tells whose it is, so that it spoils that call and no other. */
function idOfMalformed(item: unknown): string | null {
  const parsed = v.safeParse(identified, item)
  return parsed.success ? parsed.output.execution_id : null
}

function settle(call: Identified, item: Parsed | undefined, status: number): Settlement {
  if (item === undefined) return missing(status)
  if (!item.success) {
    const issue = v.getDotPath(item.issues[0])
    return unknownOutcome(
      'bad-response',
      `Malformed item in batch response${issue ? ` (${issue})` : ''}`,
      status,
    )
  }
  const { execution_id: id } = item.output
  return id === null || id === call.executionId ? answered(item.output, status) : missing(status)
}

/** What the tool said; or, where the server itself ended the call, what that means for it. */
export function answered(body: ExecutionResponseBody, status: number): Settlement {
  switch (body.code) {
    case 'interrupted':
      return unknownOutcome('interrupted', body.error, status)
    case 'server_stopping':
      return notRun('interrupted', body.error, status)
    case 'sandbox_failed':
      return notRun('slot-faulted', body.error, status)
    case 'execution_id_conflict':
      return notRun('conflict', body.error, status)
    case 'invalid_request':
    case 'ledger_failed':
      return notRun('http-error', body.error, status)
    case undefined:
      return { kind: 'answered', status, value: body }
  }
}

function missing(status: number): Settlement {
  return unknownOutcome('missing-result', 'Missing result in batch response', status)
}

function doubled(call: Identified, times: number, status: number): Settlement {
  return unknownOutcome(
    'bad-response',
    `The batch response holds ${times} results for ${call.executionId}`,
    status,
  )
}
