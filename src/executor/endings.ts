/** Floor 3: how calls end from this side, and when. Browser compatible. */
import { type Failed, notRun, type Settlement, unknownOutcome } from '../batching/settlement.ts'
import type { PendingCall } from './pending-call.ts'

/** What a call may take beyond its tool's time: for the way there and back, attempts and pauses. */
export const graceMs = 5_000

/** How late an answer may be until it is asked for again, where that is possible. */
export const lateMs = 1_000

/** How long the server may take to end a call that was given up. */
export const cancelMs = 2_000

export const abortedAfterPost: Failed = {
  kind: 'failed',
  outcome: 'cancelled',
  code: 'aborted',
  message: 'Aborted after the call was posted: it may have run',
}
export const notConfirmed = unknownOutcome(
  'aborted',
  `Aborted; the server did not confirm it within ${cancelMs} ms`,
)

/** A call that may have run, since an answer about it was cut, did not provably not run. */
export function truthful(call: PendingCall, settlement: Settlement): Settlement {
  if (call.askedLedger === undefined || settlement.kind !== 'failed' || settlement.outcome !== 'not-run')
    return settlement
  const message = `${settlement.message}; an answer about it was cut before: it may have run`
  return { ...settlement, outcome: 'unknown', message }
}

/** Why a call's time is over. */
export function expiredFailure(call: PendingCall, queueTimeoutMs: number | undefined): Failed {
  if (call.startedAt === undefined) {
    return notRun('deadline', `Waited ${queueTimeoutMs} ms to be posted, as long as queueTimeoutMs allows`)
  }
  const limit = `${call.timeoutMs + graceMs} ms (its timeout and ${graceMs} ms)`
  if (call.post !== undefined)
    return unknownOutcome('deadline', `No answer within ${limit} of the first attempt`)
  const last = call.lastFailure === undefined ? '' : `; last: ${call.lastFailure.message}`
  return notRun('deadline', `Could not be posted within ${limit}${last}`)
}
