/** Floor 1: what a container takes beyond the base protocol, and which calls it cannot take. */
import type { ContainerStatus, Feature } from '../protocol/health.ts'
import { abortedBeforePost, type Failed, notRun, unknownOutcome } from './settlement.ts'

/** What a container that speaks the extended protocol has announced. */
export interface Terms {
  /** The ledger that knows which calls ran. */
  readonly ledger: string
  readonly features: ReadonlySet<string>
  readonly maxBodyBytes: number
  readonly maxTimeoutMs: number
  /** How long the ledger remembers a call, at least. */
  readonly retentionMs: number
}

/** What the rules need to know of a call. */
export interface Demanding {
  readonly executionId: string
  /** What the server must have for it. */
  readonly needs: readonly Feature[]
  readonly bytes: number
  readonly timeoutMs: number
  /** Gives it up. */
  readonly signal: AbortSignal | undefined
  /** The ledger that may know it: of the server whose answer was cut. */
  readonly askedLedger: string | undefined
  /** When the first attempt was made. */
  readonly startedAt: number | undefined
}

/** The terms of a container by its health; undefined for one that speaks base, or not all that a batch needs. */
export function termsOf(status: ContainerStatus): Terms | undefined {
  const features = new Set(status.features)
  if (status.protocol !== 2 || status.ledger === undefined) return undefined
  if (!features.has('ndjson') || !features.has('idempotency')) return undefined
  return {
    ledger: status.ledger,
    features,
    maxBodyBytes: status.maxBodyBytes ?? Infinity,
    maxTimeoutMs: status.maxTimeoutMs ?? Infinity,
    retentionMs: status.ledgerRetentionMs ?? Infinity,
  }
}

/** The brackets of a batch of one. */
const bracketBytes = 2

/** Why a call must not be posted to a container of these terms; undefined when it may. */
export function refusalOf(call: Demanding, terms: Terms | undefined, now: number): Failed | undefined {
  const { executionId } = call
  if (call.askedLedger === undefined && call.signal?.aborted) return abortedBeforePost
  const forgotten = call.askedLedger === undefined ? undefined : forgetfulness(call, terms, now)
  if (forgotten !== undefined) {
    const message = `Cannot ask again for call ${executionId}, whose answer was cut: ${forgotten}`
    return unknownOutcome('interrupted', message)
  }
  const missing =
    call.needs.length === 0 ? undefined : call.needs.find((feature) => terms?.features.has(feature) !== true)
  if (missing !== undefined) {
    const message = `Cannot post call ${executionId}: it needs ${missing}, which the server does not have`
    return notRun('unsupported', message)
  }
  if (terms === undefined) return undefined
  if (call.bytes + bracketBytes > terms.maxBodyBytes) {
    const size = `its request has ${call.bytes + bracketBytes} bytes, the server takes ${terms.maxBodyBytes}`
    return notRun('too-large', `Cannot post call ${executionId}: ${size}`)
  }
  if (call.timeoutMs > terms.maxTimeoutMs) {
    const limit = `its timeout is ${call.timeoutMs} ms, the server takes ${terms.maxTimeoutMs} ms`
    return notRun('unsupported', `Cannot post call ${executionId}: ${limit}`)
  }
  return undefined
}

/** Why the container may not know any more whether a call ran. */
function forgetfulness(call: Demanding, terms: Terms | undefined, now: number): string | undefined {
  if (terms === undefined || call.askedLedger !== terms.ledger) return 'the server that knew it was replaced'
  const { startedAt = now } = call
  if (now - startedAt < terms.retentionMs) return undefined
  return `the server remembers calls for ${terms.retentionMs} ms, this one began ${Math.round(now - startedAt)} ms ago`
}
