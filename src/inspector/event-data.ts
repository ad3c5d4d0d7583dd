/**
 * Floor 3: what the actors' events carry, as small plain JSON. Calls are live objects: they are copied at once, and
 * never kept. Browser compatible.
 */
import type { CallInfo, Ending } from './records.ts'

/** How many characters of a text are shown. */
export const shownCharacters = { body: 1_000, output: 2_000, error: 600 } as const

/** Kept beyond what is shown, so that no secret is cut in two before it is recognised. */
const marginCharacters = 512

/** The part of a step that comes from its event. */
export interface EventData {
  call?: CallInfo
  ended?: Ending
  next?: string
  refused?: readonly string[]
  failure?: string
  posts?: readonly (readonly string[])[]
  trajectoryId?: string | null
  /** Characters in it: an estimate of its size. */
  size: number
}

/** Reads an event of a slot or a coordinator; of other actors' events nothing is known. */
export function eventData(event: object): EventData {
  const data: EventData = { size: 0 }
  if ('settlement' in event && 'call' in event) addEnding(data, event.call, event.settlement)
  else if ('call' in event) addCall(data, event.call)
  if ('next' in event) addNext(data, event.next)
  if ('refused' in event && Array.isArray(event.refused) && event.refused.length > 0) addRefused(data, event)
  if ('batches' in event && Array.isArray(event.batches)) addPosts(data, event.batches)
  if ('trajectoryId' in event) data.trajectoryId = textOr(event.trajectoryId, null)
  return data
}

/** What is kept of a text until it is shown. */
export function keptPart(text: string, limit: number): string {
  if (text.length <= limit + marginCharacters) return text
  // A slice would hold on to the whole text.
  return Buffer.from(text.slice(0, limit + marginCharacters)).toString()
}

function addCall(data: EventData, call: unknown): void {
  if (!isObject(call)) return
  const body = keptPart(textOr(call.body, ''), shownCharacters.body)
  data.size += body.length
  data.call = {
    executionId: textOr(call.executionId, ''),
    route: textOr(call.route, ''),
    bytes: numberOr(call.bytes, 0),
    timeoutMs: numberOr(call.timeoutMs, 0),
    body,
  }
}

function addEnding(data: EventData, call: unknown, settlement: unknown): void {
  if (!isObject(call) || !isObject(settlement)) return
  const executionId = textOr(call.executionId, '')
  const ending = settlement.kind === 'failed' ? failedEnding(settlement) : answeredEnding(settlement.value)
  data.size += (ending.output?.length ?? 0) + (ending.error?.length ?? 0)
  data.ended = { executionId, ...ending }
}

function failedEnding({ outcome, code, message }: Fields): Omit<Ending, 'executionId'> {
  const error = keptPart(textOr(message, ''), shownCharacters.error)
  return { outcome: textOr(outcome, 'unknown'), success: false, code: textOr(code, ''), error }
}

function answeredEnding(value: unknown): Omit<Ending, 'executionId'> {
  if (!isObject(value)) return { outcome: 'exited', success: false }
  const metadata = isObject(value.metadata) ? value.metadata : {}
  const { exit_code: exitCode, duration } = metadata
  const output = keptPart(textOr(value.output, ''), shownCharacters.output)
  const error = keptPart(textOr(value.error, ''), shownCharacters.error)
  return {
    outcome: metadata.timeout === true ? 'timed-out' : 'exited',
    success: value.success === true,
    ...(output === '' ? {} : { output }),
    ...(error === '' ? {} : { error }),
    ...(typeof exitCode === 'number' ? { exitCode } : {}),
    ...(typeof duration === 'number' ? { toolMs: Math.round(duration * 1e6) / 1e3 } : {}),
  }
}

function addNext(data: EventData, next: unknown): void {
  if (isObject(next)) data.next = textOr(next.executionId, '')
}

function addRefused(data: EventData, event: { refused?: unknown; failure?: unknown }): void {
  const refused = idsOf(event.refused)
  data.refused = refused
  data.size += refused.length * 40
  if (isObject(event.failure))
    data.failure = keptPart(textOr(event.failure.message, ''), shownCharacters.error)
}

function addPosts(data: EventData, batches: readonly unknown[]): void {
  const posts = batches.map(idsOf)
  data.posts = posts
  for (const { length } of posts) data.size += 40 * length
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
