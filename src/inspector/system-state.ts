/** Floor 3: what all actors are doing, by the records so far. The same fold runs here and in the page. Browser compatible. */
import { afterNews, newPool, type PoolView } from './pool-view.ts'
import type {
  ActorRecord,
  ActorState,
  CallInfo,
  CurrentCall,
  StateRecord,
  StepRecord,
  Totals,
  TraceRecord,
} from './records.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** An actor in a {@link SystemState}: changed by it alone. */
export interface LiveActor extends Writable<Omit<ActorState, 'waiting'>> {
  waiting: CurrentCall[]
}

interface LiveTotals extends Writable<Totals> {
  outcomes: Record<string, number>
}

/** The fold of a recording. */
export class SystemState {
  /** The number of the last record; -1 before the first, whose number is 0. */
  n = -1
  ms = 0
  readonly actors: LiveActor[] = []
  readonly totals: LiveTotals = {
    outcomes: {},
    succeeded: 0,
    resets: 0,
    artifacts: 0,
    posts: 0,
    postedCalls: 0,
    steps: 0,
  }
  readonly edges = new Map<string, number>()
  /** Pools by their actors. */
  readonly pools = new Map<number, PoolView>()
  /** How many actors are in each state, by chart and state. */
  readonly counts = new Map<string, Map<string, number>>()

  apply(record: TraceRecord): void {
    this.n = record.n
    this.ms = record.ms
    if (record.kind === 'step') this.#step(record)
    else if (record.kind === 'actor') this.#put(newActor(record))
    else this.#jump(record)
  }

  /** As a record: the actors that changed after record `since`. */
  toRecord(since = -1): StateRecord {
    const actors = this.actors
      .filter(({ n }) => n > since)
      .map((actor) => ({ ...actor, waiting: [...actor.waiting] }))
    const totals = { ...this.totals, outcomes: { ...this.totals.outcomes } }
    const edges = Object.fromEntries(this.edges)
    const pools = this.pools.size === 0 ? {} : { pools: [...this.pools.values()] }
    return { kind: 'state', n: this.n, ms: this.ms, actors, totals, edges, ...pools }
  }

  copy(): SystemState {
    const copy = new SystemState()
    copy.apply(this.toRecord())
    return copy
  }

  #jump({ actors, totals, edges, pools = [] }: StateRecord): void {
    for (const pool of pools) this.pools.set(pool.actor, pool)
    for (const actor of actors) this.#put({ ...actor, waiting: [...actor.waiting] })
    Object.assign(this.totals, totals, { outcomes: { ...totals.outcomes } })
    for (const [edge, count] of Object.entries(edges)) this.edges.set(edge, count)
  }

  #put(actor: LiveActor): void {
    const before = this.actors[actor.actor]
    if (before !== undefined && !before.stopped) this.#count(before, -1)
    if (!actor.stopped) this.#count(actor, 1)
    this.actors[actor.actor] = actor
  }

  #step(record: StepRecord): void {
    const actor = this.actors[record.actor]
    this.totals.steps += 1
    if (actor === undefined) return
    for (const edge of record.edges) this.edges.set(edge, (this.edges.get(edge) ?? 0) + 1)
    this.#move(actor, record)
    if (record.told !== undefined) {
      const pool = this.pools.get(record.actor) ?? newPool(record.actor)
      this.pools.set(record.actor, afterNews(pool, record.told, record.ms))
    }
    for (const action of record.actions) this.#act(actor, action, record)
    if (record.event === 'acquire' && record.edges.length > 0)
      actor.trajectoryId = record.trajectoryId ?? null
    else if (actor.trajectoryId !== null && !actor.state.startsWith('acquired')) actor.trajectoryId = null
  }

  #move(actor: LiveActor, { n, ms, state, stopped = false }: StepRecord): void {
    actor.n = n
    if (stopped && !actor.stopped) this.#count(actor, -1)
    actor.stopped = stopped
    if (stopped || state === '' || state === actor.state) return
    this.#count(actor, -1)
    actor.state = state
    actor.since = ms
    this.#count(actor, 1)
  }

  /** What a slot's or a coordinator's named action means for its calls. */
  #act(actor: LiveActor, action: string, record: StepRecord): void {
    const { call, ended, next, posts, alone = 0, ms } = record
    switch (action) {
      case 'start':
        if (call !== undefined) actor.call = started(call, ms, ms)
        return
      case 'startNext':
        if (next !== undefined) this.#startNext(actor, next, ms)
        return
      case 'wait':
        if (call !== undefined) actor.waiting.push({ ...call, came: ms })
        return
      case 'settle':
        if (ended !== undefined) this.#settle(actor, record)
        return
      case 'refuse':
        if (call !== undefined) this.#ended(actor, call.route, 'not-run', false)
        return
      case 'refuseWaiting':
        this.#refuseWaiting(actor)
        return
      case 'post':
        this.totals.posts += (posts?.length ?? 0) - alone
        this.totals.postedCalls += (posts?.reduce((sum, post) => sum + post.length, 0) ?? 0) - alone
    }
  }

  /** Calls leave a slot in order: those before the one that starts were given up while they waited. */
  #startNext(actor: LiveActor, executionId: string, ms: number): void {
    const index = actor.waiting.findIndex((call) => call.executionId === executionId)
    const gone = actor.waiting.splice(0, index + 1)
    const next = index < 0 ? undefined : gone.pop()
    for (const { route } of gone) this.#ended(actor, route, 'not-run', false)
    actor.call = next === undefined ? started(unseen(executionId), ms, ms) : started(next, next.came, ms)
  }

  #settle(actor: LiveActor, { ended, next, event }: StepRecord): void {
    if (ended === undefined) return
    const { call } = actor
    const isOfCall = call?.executionId === ended.executionId
    if (!(isOfCall && call.told)) this.#ended(actor, call?.route ?? '/execute', ended.outcome, ended.success)
    if (event === 'cancel') {
      if (isOfCall) actor.call = { ...call, told: true }
      return
    }
    if (isOfCall) actor.call = null
    // The slot found nobody waiting: who waited has left.
    if (next === undefined && event === 'settled') this.#refuseWaiting(actor)
  }

  #refuseWaiting(actor: LiveActor): void {
    if (actor.waiting.length === 0) return
    for (const { route } of actor.waiting.splice(0)) this.#ended(actor, route, 'not-run', false)
  }

  #ended(actor: LiveActor, route: string, outcome: string, success: boolean): void {
    if (route === '/reset') this.totals.resets += 1
    else if (route !== '/execute') this.totals.artifacts += 1
    else {
      this.totals.outcomes[outcome] = (this.totals.outcomes[outcome] ?? 0) + 1
      if (success) this.totals.succeeded += 1
      actor.calls += 1
      if (!success) actor.failures += 1
    }
  }

  #count(actor: LiveActor, by: number): void {
    let states = this.counts.get(actor.chart)
    if (states === undefined) {
      states = new Map()
      this.counts.set(actor.chart, states)
    }
    states.set(actor.state, (states.get(actor.state) ?? 0) + by)
  }
}

function newActor({ actor, id, chart, state, n, ms }: ActorRecord): LiveActor {
  return {
    actor,
    id,
    chart,
    state,
    since: ms,
    n,
    stopped: false,
    trajectoryId: null,
    call: null,
    waiting: [],
    calls: 0,
    failures: 0,
  }
}

/** Field by field, which is several times faster than a copy: every call comes by here. */
function started(call: CallInfo, came: number, at: number): CurrentCall {
  const { executionId, route, bytes, timeoutMs, body } = call
  return { executionId, route, bytes, timeoutMs, body, came, started: at }
}

/** A call whose beginning was not recorded. */
function unseen(executionId: string): CallInfo {
  return { executionId, route: '/execute', bytes: 0, timeoutMs: 0, body: '' }
}
