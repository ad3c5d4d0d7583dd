/**
 * Floor 3: what the actors' events carry, as small plain JSON. Calls are live objects: they are copied at once, and
 * never kept. Browser compatible.
 */
import { answeredOutcome } from '../batching/settlement.ts'
import { newsOf } from './pool-view.ts'
import type { Ending, StepRecord } from './records.ts'

/** How many characters of a text are shown. */
export const shownCharacters = { body: 1_000, output: 2_000, error: 600 } as const

/** Kept beyond what is shown, so that no secret is cut in two before it is recognised. */
const marginCharacters = 512

/** What an executionId takes, about. */
const idBytes = 40

/** A step while it is being recorded. */
export type Step = Writable<StepRecord>

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/**
 * Adds what an event of a slot or a coordinator carries to its step; of other actors' events nothing is known. Gives the
 * characters that were added: an estimate of their size.
 */
export function addEventData(step: Step, event: object): number {
  let size = 0
  if ('call' in event) {
    size += 'settlement' in event ? addEnding(step, event.call, event.settlement) : addCall(step, event.call)
  }
  if ('next' in event) addNext(step, event.next)
  if ('refused' in event && Array.isArray(event.refused) && event.refused.length > 0)
    size += addRefused(step, event)
  if ('batches' in event && Array.isArray(event.batches)) size += addPosts(step, event.batches)
  if ('told' in event && isObject(event.told)) step.told = newsOf(event.told)
  if ('trajectoryId' in event) step.trajectoryId = textOr(event.trajectoryId, null)
  return size
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What is kept of a text until it is shown. */
export function keptPart(text: string, limit: number): string {
  if (text.length <= limit + marginCharacters) return text
  // A slice would hold on to the whole text.
  return decoder.decode(encoder.encode(text.slice(0, limit + marginCharacters)))
}

function addCall(step: Step, call: unknown): number {
  if (!isObject(call)) return 0
  const body = keptPart(textOr(call.body, ''), shownCharacters.body)
  step.call = {
    executionId: textOr(call.executionId, ''),
    route: textOr(call.route, ''),
    bytes: numberOr(call.bytes, 0),
    timeoutMs: numberOr(call.timeoutMs, 0),
    body,
  }
  return body.length
}

function addEnding(step: Step, call: unknown, settlement: unknown): number {
  if (!isObject(call) || !isObject(settlement)) return 0
  const executionId = textOr(call.executionId, '')
  const ending =
    settlement.kind === 'failed'
      ? failedEnding(executionId, settlement)
      : answeredEnding(executionId, settlement.value)
  step.ended = ending
  return (ending.output?.length ?? 0) + (ending.error?.length ?? 0)
}

function failedEnding(executionId: string, { outcome, code, message }: Fields): Ending {
  const error = keptPart(textOr(message, ''), shownCharacters.error)
  return { executionId, outcome: textOr(outcome, 'unknown'), success: false, code: textOr(code, ''), error }
}

/** Field by field, which is several times faster than spreads: every result comes by here. */
function answeredEnding(executionId: string, value: unknown): Ending {
  if (!isObject(value)) return { executionId, outcome: 'exited', success: false }
  const metadata = isObject(value.metadata) ? value.metadata : {}
  const { exit_code: exitCode, duration } = metadata
  const output = keptPart(textOr(value.output, ''), shownCharacters.output)
  const error = keptPart(textOr(value.error, ''), shownCharacters.error)
  const ending: Writable<Ending> = {
    executionId,
    outcome: answeredOutcome(metadata),
    success: value.success === true,
  }
  if (output !== '') ending.output = output
  if (error !== '') ending.error = error
  if (typeof exitCode === 'number') ending.exitCode = exitCode
  if (typeof duration === 'number') ending.toolMs = Math.round(duration * 1e6) / 1e3
  return ending
}

function addNext(step: Step, next: unknown): void {
  if (isObject(next)) step.next = textOr(next.executionId, '')
}

function addRefused(step: Step, event: { refused?: unknown; failure?: unknown }): number {
  step.refused = idsOf(event.refused)
  if (isObject(event.failure))
    step.failure = keptPart(textOr(event.failure.message, ''), shownCharacters.error)
  return step.refused.length * idBytes
}

function addPosts(step: Step, batches: readonly unknown[]): number {
  step.posts = batches.map(idsOf)
  const alone = batches.filter(isAlone).length
  if (alone > 0) step.alone = alone
  return step.posts.reduce((sum, { length }) => sum + length * idBytes, 0)
}

/** A reset or an artifact call, not a tool call. */
function isAlone(calls: unknown): boolean {
  const call: unknown = Array.isArray(calls) ? calls[0] : undefined
  return isObject(call) && call.route !== '/execute'
}

function idsOf(calls: unknown): string[] {
  if (!Array.isArray(calls)) return []
  return calls.map((call: unknown) => (isObject(call) ? textOr(call.executionId, '') : ''))
}

type Fields = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

function textOr<T>(value: unknown, otherwise: T): string | T {
  return typeof value === 'string' ? value : otherwise
}

function numberOr(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise
}
