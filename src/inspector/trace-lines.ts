/** Floor 3: records as the lines of a trace: the only way out, so that secrets are taken out here. Browser compatible. */
import { shownCharacters } from './event-data.ts'
import {
  type ActorState,
  type CallInfo,
  type Ending,
  type StepRecord,
  type TraceHeader,
  type TraceRecord,
  traceVersion,
} from './records.ts'
import type { Redact } from './redact.ts'
import type { SystemState } from './system-state.ts'

/** The first line of a trace. */
export function headerLine(startedAt: number, live: boolean): string {
  const header: TraceHeader = { kind: 'trace', version: traceVersion, startedAt, live }
  return JSON.stringify(header)
}

/** The line of a record, without secrets, its texts cut. */
export function traceLine(record: TraceRecord, redact: Redact): string {
  switch (record.kind) {
    case 'step':
      return JSON.stringify(shownStep(record, redact))
    case 'actor':
      return JSON.stringify({ ...record, id: redact(record.id) })
    case 'state':
      return JSON.stringify({ ...record, actors: record.actors.map((actor) => shownActor(actor, redact)) })
  }
}

/** The line that stands for all that was before: the actors that changed after record `since`. */
export function stateLine(state: SystemState, redact: Redact, since?: number): string {
  return traceLine(state.toRecord(since), redact)
}

function shownStep(step: StepRecord, redact: Redact): StepRecord {
  const { call, ended, failure } = step
  if (call === undefined && ended === undefined && failure === undefined) return step
  return {
    ...step,
    ...(call === undefined ? {} : { call: shownCall(call, redact) }),
    ...(ended === undefined ? {} : { ended: shownEnding(ended, redact) }),
    ...(failure === undefined ? {} : { failure: shown(failure, shownCharacters.error, redact) }),
  }
}

function shownActor(actor: ActorState, redact: Redact): ActorState {
  return {
    ...actor,
    id: redact(actor.id),
    call: actor.call === null ? null : shownCall(actor.call, redact),
    waiting: actor.waiting.map((call) => shownCall(call, redact)),
  }
}

function shownCall<C extends CallInfo>(call: C, redact: Redact): C {
  return { ...call, body: shown(call.body, shownCharacters.body, redact) }
}

function shownEnding(ending: Ending, redact: Redact): Ending {
  const { output, error } = ending
  return {
    ...ending,
    ...(output === undefined ? {} : { output: shown(output, shownCharacters.output, redact) }),
    ...(error === undefined ? {} : { error: shown(error, shownCharacters.error, redact) }),
  }
}

/** A text that is too long may end in half a secret, and was kept longer for that: as much is left out of the clean one. */
function shown(text: string, limit: number, redact: Redact): string {
  const clean = redact(text)
  return text.length <= limit
    ? clean
    : `${clean.slice(0, Math.max(0, clean.length - (text.length - limit)))}…`
}
