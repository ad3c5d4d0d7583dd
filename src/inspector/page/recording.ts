/** The page's own recording: what came in, bounded, with the calls and posts in it found by name. */
import { History } from '../history.ts'
import type { Ending, StepRecord, TraceHeader, TraceRecord } from '../records.ts'
import { type LiveActor, SystemState } from '../system-state.ts'

/** One call as seen so far. */
export interface CallEntry {
  readonly executionId: string
  readonly actor: number
  readonly trajectoryId: string | null
  readonly body: string
  readonly route: string
  readonly came: number
  started?: number
  readonly posts: PostEntry[]
  ended?: Ending
  endedAt?: number
}

/** One POST as seen so far. */
export interface PostEntry {
  readonly number: number
  /** The coordinator. */
  readonly actor: number
  readonly n: number
  readonly position: number
  readonly ms: number
  readonly calls: readonly CallEntry[]
}

/** A record with what the filters ask for. */
export interface Entry {
  readonly position: number
  readonly record: TraceRecord
  readonly trajectoryId: string | null
}

const limits = { maxRecords: 60_000, maxBytes: 64_000_000 }
const maxPosts = 4_000
const checkpointEvery = 4_000
const maxCheckpoints = 12

export class Recording {
  readonly header: TraceHeader
  readonly history = new History(limits)
  /** What all actors do now. */
  readonly head = new SystemState()
  readonly calls = new Map<string, CallEntry>()
  readonly posts: PostEntry[] = []
  readonly #trajectories = new Map<number, string>()
  readonly #byActor = new Map<number, Entry[]>()
  readonly #checkpoints = new Map<number, SystemState>()
  #postNumber = 0

  constructor(header: TraceHeader) {
    this.header = header
  }

  push(record: TraceRecord): void {
    const position = this.history.end
    const before = record.kind === 'step' ? this.head.actors[record.actor]?.trajectoryId : undefined
    this.history.push(record, sizeOf(record))
    this.head.apply(record)
    if (record.kind !== 'step') return
    const actor = this.head.actors[record.actor]
    const trajectoryId = actor?.trajectoryId ?? before ?? null
    if (trajectoryId !== null) this.#trajectories.set(position, trajectoryId)
    if (actor !== undefined) this.#keep(actor, { position, record, trajectoryId })
    this.#forgetOld()
  }

  entryAt(position: number): Entry | undefined {
    const record = this.history.at(position)
    if (record === undefined) return undefined
    return { position, record, trajectoryId: this.#trajectories.get(position) ?? null }
  }

  /** The last records of an actor up to a position, the newest last. */
  entriesOf(actor: number, before: number, count: number): Entry[] {
    const entries = this.#byActor.get(actor) ?? []
    const end = entries.findLastIndex(({ position }) => position < before) + 1
    return entries.slice(Math.max(0, end - count), end)
  }

  /** What all actors did when so many records had come. */
  stateAt(position: number): SystemState {
    const { start, end } = this.history
    const wanted = Math.min(Math.max(position, start), end)
    let [at, state] = this.#nearest(wanted)
    for (; at < wanted; at += 1) {
      const record = this.history.at(at)
      if (record !== undefined) state.apply(record)
      if ((at + 1) % checkpointEvery === 0) this.#remember(at + 1, state)
    }
    return state
  }

  #nearest(wanted: number): [number, SystemState] {
    const { start, base } = this.history
    const found = [...this.#checkpoints.keys()].filter((at) => at >= start && at <= wanted)
    const at = found.length > 0 ? Math.max(...found) : start
    return [at, (this.#checkpoints.get(at) ?? base).copy()]
  }

  #remember(position: number, state: SystemState): void {
    if (this.#checkpoints.has(position)) return
    const oldest = this.#checkpoints.keys().next().value
    if (this.#checkpoints.size >= maxCheckpoints && oldest !== undefined) this.#checkpoints.delete(oldest)
    this.#checkpoints.set(position, state.copy())
  }

  #keep(actor: LiveActor, entry: Entry): void {
    const { record, position } = entry
    if (record.kind !== 'step') return
    let entries = this.#byActor.get(actor.actor)
    if (entries === undefined) {
      entries = []
      this.#byActor.set(actor.actor, entries)
    }
    entries.push(entry)
    if (entries.length > 400) entries.splice(0, 200)
    this.#keepCall(record, entry)
    if (record.actions.includes('post')) this.#keepPosts(record, position)
  }

  #keepCall(record: StepRecord, { trajectoryId }: Entry): void {
    const { actor, ms, call, ended, next, refused, failure, actions } = record
    if (call !== undefined) {
      const entry = { ...call, actor, trajectoryId, came: ms, posts: [] }
      this.calls.set(call.executionId, entry)
      if (actions.includes('start')) this.#started(call.executionId, ms)
      if (actions.includes('refuse')) this.#ended(notRun(call.executionId, 'The slot is faulted'), ms)
    }
    if (ended !== undefined && actions.includes('settle')) this.#ended(ended, ms)
    if (next !== undefined) this.#started(next, ms)
    for (const executionId of refused ?? []) this.#ended(notRun(executionId, failure), ms)
  }

  #started(executionId: string, ms: number): void {
    const call = this.calls.get(executionId)
    if (call !== undefined) call.started = ms
  }

  #ended(ending: Ending, ms: number): void {
    const call = this.calls.get(ending.executionId)
    if (call === undefined || call.ended !== undefined) return
    call.ended = ending
    call.endedAt = ms
  }

  #keepPosts({ actor, n, ms, posts = [] }: StepRecord, position: number): void {
    for (const ids of posts) {
      const calls = ids.flatMap((id) => this.calls.get(id) ?? [])
      this.#postNumber += 1
      const post = { number: this.#postNumber, actor, n, position, ms, calls }
      this.posts.push(post)
      for (const call of calls) call.posts.push(post)
    }
    if (this.posts.length > maxPosts) this.posts.splice(0, maxPosts / 2)
  }

  #forgetOld(): void {
    const { start } = this.history
    for (const position of this.#trajectories.keys()) {
      if (position >= start) break
      this.#trajectories.delete(position)
    }
    for (const executionId of this.calls.keys()) {
      if (this.calls.size <= limits.maxRecords) break
      this.calls.delete(executionId)
    }
  }
}

function notRun(executionId: string, error = ''): Ending {
  return { executionId, outcome: 'not-run', success: false, error }
}

function sizeOf(record: TraceRecord): number {
  if (record.kind === 'state') return 400 + record.actors.length * 300
  if (record.kind === 'actor') return 200
  const { call, ended, posts } = record
  const texts = (call?.body.length ?? 0) + (ended?.output?.length ?? 0) + (ended?.error?.length ?? 0)
  return 300 + texts + 40 * (posts?.reduce((sum, ids) => sum + ids.length, 0) ?? 0)
}
