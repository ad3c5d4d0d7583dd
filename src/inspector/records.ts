/** Floor 3: the lines of a trace: a header, a state to begin with, then what happened. Plain JSON. Browser compatible. */
import * as v from 'valibot'
import { type PoolNews, type PoolView, poolNews, poolView } from './pool-view.ts'

/** Of the format; a reader refuses a trace of another one. */
export const traceVersion = 1

/** A call as it came to its slot. */
export interface CallInfo {
  readonly executionId: string
  readonly route: string
  readonly bytes: number
  readonly timeoutMs: number
  /** The beginning of its request's JSON text. */
  readonly body: string
}

/** How a call ended. */
export interface Ending {
  readonly executionId: string
  readonly outcome: string
  readonly success: boolean
  readonly output?: string
  readonly error?: string
  readonly code?: string
  readonly exitCode?: number
  /** What the tool took, as the server tells. */
  readonly toolMs?: number
}

/** An actor began. */
export interface ActorRecord {
  readonly kind: 'actor'
  readonly n: number
  readonly ms: number
  readonly actor: number
  readonly id: string
  readonly chart: string
  readonly state: string
}

/** An actor got an event, and what its chart made of it. */
export interface StepRecord {
  readonly kind: 'step'
  readonly n: number
  /** Since the recording began. */
  readonly ms: number
  readonly actor: number
  readonly event: string
  /** The edges taken; none when the chart has no way for the event there. */
  readonly edges: readonly string[]
  readonly actions: readonly string[]
  /** Where the actor is afterwards: `borrowed.executing`, or one for each region: `intake.idle wire.quiet`. */
  readonly state: string
  readonly call?: CallInfo
  readonly ended?: Ending
  /** The call that starts now, of those that waited. */
  readonly next?: string
  /** Calls that waited and end here. */
  readonly refused?: readonly string[]
  /** Why they do. */
  readonly failure?: string
  /** The executionIds in each post that goes out. */
  readonly posts?: readonly (readonly string[])[]
  /** How many of these are resets and artifact calls: they go alone, and count apart. */
  readonly alone?: number
  readonly trajectoryId?: string | null
  /** What a pool told. */
  readonly told?: PoolNews
  /** The actor has stopped. */
  readonly stopped?: boolean
}

/** What an actor is doing. */
export interface ActorState {
  readonly actor: number
  readonly id: string
  readonly chart: string
  readonly state: string
  /** When it came there. */
  readonly since: number
  /** The number of the record that changed it last. */
  readonly n: number
  readonly stopped: boolean
  readonly trajectoryId: string | null
  readonly call: CurrentCall | null
  readonly waiting: readonly CurrentCall[]
  readonly calls: number
  readonly failures: number
}

/** A call under way. */
export interface CurrentCall extends CallInfo {
  /** When it came. */
  readonly came: number
  /** When it left its slot's queue. */
  readonly started?: number
  /** The caller has its result already; the slot waits for the server. */
  readonly told?: boolean
}

/** Counts over the whole recording. */
export interface Totals {
  /** Tool calls that ended, by outcome. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Tool calls that ended with `success`. */
  readonly succeeded: number
  readonly resets: number
  readonly artifacts: number
  readonly posts: number
  readonly postedCalls: number
  readonly steps: number
}

/** The state of all actors, or of those that changed: what stands at the head of a trace, or in place of what is left out. */
export interface StateRecord {
  readonly kind: 'state'
  readonly n: number
  readonly ms: number
  readonly actors: readonly ActorState[]
  readonly totals: Totals
  /** How often each edge was taken. */
  readonly edges: Readonly<Record<string, number>>
  /** Missing where there is no pool. */
  readonly pools?: readonly PoolView[]
}

/** What a recording consists of. */
export type TraceRecord = ActorRecord | StepRecord | StateRecord

/** The first line. */
export interface TraceHeader {
  readonly kind: 'trace'
  readonly version: typeof traceVersion
  /** Milliseconds since 1970: when the recording began. */
  readonly startedAt: number
  /** Whether more will come. */
  readonly live: boolean
}

const text = v.string()
const number = v.pipe(v.number(), v.finite())
const texts = v.array(text)

const callEntries = { executionId: text, route: text, bytes: number, timeoutMs: number, body: text }

const ending = v.object({
  executionId: text,
  outcome: text,
  success: v.boolean(),
  output: v.exactOptional(text),
  error: v.exactOptional(text),
  code: v.exactOptional(text),
  exitCode: v.exactOptional(number),
  toolMs: v.exactOptional(number),
})

const currentCall = v.object({
  ...callEntries,
  came: number,
  started: v.exactOptional(number),
  told: v.exactOptional(v.boolean()),
})

const actorRecord = v.object({
  kind: v.literal('actor'),
  n: number,
  ms: number,
  actor: number,
  id: text,
  chart: text,
  state: text,
})

const stepRecord = v.object({
  kind: v.literal('step'),
  n: number,
  ms: number,
  actor: number,
  event: text,
  edges: texts,
  actions: texts,
  state: text,
  call: v.exactOptional(v.object(callEntries)),
  ended: v.exactOptional(ending),
  next: v.exactOptional(text),
  refused: v.exactOptional(texts),
  failure: v.exactOptional(text),
  posts: v.exactOptional(v.array(texts)),
  alone: v.exactOptional(v.number()),
  trajectoryId: v.exactOptional(v.nullable(text)),
  told: v.exactOptional(poolNews),
  stopped: v.exactOptional(v.boolean()),
})

const actorState = v.object({
  actor: number,
  id: text,
  chart: text,
  state: text,
  since: number,
  n: number,
  stopped: v.boolean(),
  trajectoryId: v.nullable(text),
  call: v.nullable(currentCall),
  waiting: v.array(currentCall),
  calls: number,
  failures: number,
})

const stateRecord = v.object({
  kind: v.literal('state'),
  n: number,
  ms: number,
  actors: v.array(actorState),
  totals: v.object({
    outcomes: v.record(text, number),
    succeeded: number,
    resets: number,
    artifacts: number,
    posts: number,
    postedCalls: number,
    steps: number,
  }),
  edges: v.record(text, number),
  pools: v.exactOptional(v.array(poolView)),
})

/** A line of a trace after the first. */
export const traceRecord: v.GenericSchema<unknown, TraceRecord> = v.variant('kind', [
  actorRecord,
  stepRecord,
  stateRecord,
])

/** The first line of a trace. */
export const traceHeader: v.GenericSchema<unknown, TraceHeader> = v.object({
  kind: v.literal('trace'),
  version: v.literal(traceVersion),
  startedAt: number,
  live: v.boolean(),
})
