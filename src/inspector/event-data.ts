/**
 * Floor 3: what the actors' events carry, as small plain JSON. Calls are live objects: they are copied at once, and
 * never kept. Browser compatible.
 */
import { answeredOutcome } from '../batching/settlement.ts'
import { newsOf } from './pool-view.ts'
import type { CallInfo, Ending, StepRecord } from './records.ts'

/** How many characters of a text are shown. */
export const shownCharacters = { body: 1_000, output: 2_000, error: 600 } as const

/** Kept beyond what is shown, so that no secret is cut in two before it is recognised. */
const marginCharacters = 512

/** What an executionId takes, about. */
const idBytes = 40

/** A step while it is being recorded. */
export type Step = Writable<StepRecord>

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** What a record takes beside its texts. */
export const recordBytes = 240

const nobody: readonly string[] = []

/** An event on its way to a chart, as the first half of a step. */
export interface Coming {
  readonly n: number
  readonly ms: number
  readonly actor: number
  /** Where the actor is. */
  readonly state: string
}

/** A step whose chart has not moved yet, with what the event of a slot or a coordinator carries. Of other actors' events nothing is known. */
export function newStep(coming: Coming, event: { readonly type: string }): Step {
  const step = stepWithCall(coming, event)
  if ('next' in event) addNext(step, event.next)
  if ('refused' in event && Array.isArray(event.refused) && event.refused.length > 0) addRefused(step, event)
  if ('batches' in event && Array.isArray(event.batches)) addPosts(step, event.batches)
  if ('told' in event && isObject(event.told)) step.told = newsOf(event.told)
  if ('trajectoryId' in event) step.trajectoryId = textOr(event.trajectoryId, null)
  return step
}

/** Made whole, as there are so many: what is added to an object later takes a second one, which is read late and cold. */
function stepWithCall({ n, ms, actor, state }: Coming, event: { readonly type: string }): Step {
  const { type } = event
  const call = 'call' in event && isObject(event.call) ? event.call : undefined
  if (call === undefined)
    return { kind: 'step', n, ms, actor, event: type, edges: nobody, actions: nobody, state }
  if (!('settlement' in event)) {
    return {
      kind: 'step',
      n,
      ms,
      actor,
      event: type,
      edges: nobody,
      actions: nobody,
      state,
      call: infoOf(call),
    }
  }
  const ended = endingOf(call, event.settlement)
  return { kind: 'step', n, ms, actor, event: type, edges: nobody, actions: nobody, state, ended }
}

/** What a step takes in memory, about. */
export function sizeOf({ call, ended, refused, posts }: Step): number {
  let size = recordBytes
  if (call !== undefined) size += call.body.length
  if (ended !== undefined) size += (ended.output?.length ?? 0) + (ended.error?.length ?? 0)
  if (refused !== undefined) size += refused.length * idBytes
  if (posts !== undefined) for (const post of posts) size += post.length * idBytes
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

function infoOf(call: Fields): CallInfo {
  return {
    executionId: textOr(call.executionId, ''),
    route: textOr(call.route, ''),
    bytes: numberOr(call.bytes, 0),
    timeoutMs: numberOr(call.timeoutMs, 0),
    body: keptPart(textOr(call.body, ''), shownCharacters.body),
  }
}

function endingOf(call: Fields, settlement: unknown): Ending {
  const executionId = textOr(call.executionId, '')
  if (!isObject(settlement)) return answeredEnding(executionId, undefined)
  return settlement.kind === 'failed'
    ? failedEnding(executionId, settlement)
    : answeredEnding(executionId, settlement.value)
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

function addRefused(step: Step, event: { refused?: unknown; failure?: unknown }): void {
  step.refused = idsOf(event.refused)
  if (isObject(event.failure))
    step.failure = keptPart(textOr(event.failure.message, ''), shownCharacters.error)
}

function addPosts(step: Step, batches: readonly unknown[]): void {
  step.posts = batches.map(idsOf)
  const alone = batches.filter(isAlone).length
  if (alone > 0) step.alone = alone
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
