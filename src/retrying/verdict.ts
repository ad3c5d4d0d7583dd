/** Floor 1: what becomes of the calls of a post that brought no results. */
import { type Failed, notRun, unknownOutcome } from '../batching/settlement.ts'
import type { Exchange, Streamed } from '../ports/transport.ts'
import { bodyTooLarge, serverStopping } from '../protocol/routes.ts'

/** The exchanges that brought no results. */
export type FailedExchange = Exclude<Exchange<unknown>, { kind: 'ok' }>

export type Verdict =
  /** They end so. */
  | { readonly kind: 'settle'; readonly failure: Failed }
  /**
   * They may be sent again, after a pause if the server asked for one: they provably did not run, or (`unknown`) go to
   * the ledger that knows whether they did.
   */
  | { readonly kind: 'again'; readonly failure: Failed; readonly pauseMs?: number }
  /** The body was too large: nothing of it ran, smaller ones may pass. */
  | { readonly kind: 'too-large'; readonly failure: Failed }
  /** The container is another one than was thought: nothing of it ran, its health tells what it is now. */
  | { readonly kind: 'stale'; readonly failure: Failed }

/** Statuses that ask to come back later. */
const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429])

/** The verdict on a post by what came of it. */
export function verdictOn(exchange: FailedExchange): Verdict {
  switch (exchange.kind) {
    case 'not-sent':
      return { kind: 'again', failure: notRun('unreachable', exchange.message) }
    case 'broken':
      return settle(unknownOutcome('unreachable', exchange.message))
    case 'bad-response':
      return settle(unknownOutcome('bad-response', exchange.message, exchange.status))
    case 'too-large':
      return settle(unknownOutcome('too-large', exchange.message, exchange.status))
    case 'aborted':
      return settle(unknownOutcome('aborted', 'The post was given up'))
    case 'http-error':
      return onHttpError(exchange)
  }
}

/** Statuses that say: another ledger, or no such route. */
const staleStatuses: ReadonlySet<number> = new Set([404, 412])

/** The verdict on a post to a container whose ledger knows what ran: whatever cut it, it may be asked again. */
export function verdictOnStream(streamed: Exclude<Streamed, { kind: 'ok' }>): Verdict {
  if (streamed.kind === 'http-error' && staleStatuses.has(streamed.status)) {
    const { status, message } = streamed
    return { kind: 'stale', failure: notRun('http-error', `HTTP ${status}: ${message}`, status) }
  }
  const verdict = verdictOn(streamed)
  const isOpen = verdict.kind === 'settle' && verdict.failure.outcome === 'unknown'
  if (!isOpen || streamed.kind === 'aborted') return verdict
  const pauseMs = streamed.kind === 'http-error' ? streamed.retryAfterMs : undefined
  return { kind: 'again', failure: verdict.failure, ...(pauseMs === undefined ? {} : { pauseMs }) }
}

/** The verdict on a request that changes nothing: whatever cut it, it may be sent again. */
export function verdictOnRead(exchange: FailedExchange): Verdict {
  const verdict = verdictOn(exchange)
  const isCut = exchange.kind === 'broken' || (exchange.kind === 'bad-response' && exchange.isCut === true)
  return isCut && verdict.kind === 'settle' ? { kind: 'again', failure: verdict.failure } : verdict
}

function onHttpError(exchange: Extract<FailedExchange, { kind: 'http-error' }>): Verdict {
  const { status, retryAfterMs } = exchange
  const message = `HTTP ${status}: ${exchange.message}`
  if (status === 413 || (status === 500 && exchange.message.includes(bodyTooLarge))) {
    return { kind: 'too-large', failure: notRun('too-large', message, status) }
  }
  const isStopping = status === 503 && exchange.message === serverStopping
  if ((status < 400 || status > 499) && !isStopping)
    return settle(unknownOutcome('http-error', message, status))
  const failure = notRun('http-error', message, status)
  if (!laterStatuses.has(status) && retryAfterMs === undefined) return settle(failure)
  return { kind: 'again', failure, ...(retryAfterMs === undefined ? {} : { pauseMs: retryAfterMs }) }
}

function settle(failure: Failed): Verdict {
  return { kind: 'settle', failure }
}
