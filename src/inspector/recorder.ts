/** Floor 3: turns XState's inspection events into records. Holds no actor, call or snapshot. Browser compatible. */
import type { ActorRefLike, InspectionEvent } from 'xstate'
import { newStep, recordBytes, type Step, sizeOf } from './event-data.ts'
import { History, type HistoryLimits } from './history.ts'
import { TakenEdges } from './microsteps.ts'

/** What is recorded of one actor until its chart has moved. */
interface Seen {
  readonly actor: number
  /** Events on their way to the chart, in order. */
  readonly pending: { readonly event: object; readonly step: Step }[]
  state: string
}

/** The recording of one process: a bounded history. */
export class Recorder {
  readonly history: History
  readonly #seen = new WeakMap<object, Seen>()
  readonly #taken = new TakenEdges()
  readonly #states = new Map<string, string>()
  /** Of snapshots that many actors share. */
  readonly #texts = new WeakMap<object, string>()
  readonly #now: () => number
  #actors = 0

  constructor(limits: HistoryLimits, now: () => number) {
    this.history = new History(limits)
    this.#now = now
  }

  /** Takes an inspection event. Never throws: it runs inside the actors that it looks at. */
  readonly inspect = (event: InspectionEvent): void => {
    if (event.type === '@xstate.event') this.#came(event.actorRef, event.event)
    else if (event.type === '@xstate.microstep') this.#moved(event)
  }

  #came(actorRef: ActorRefLike, event: { readonly type: string }): void {
    const seen = this.#seen.get(actorRef) ?? this.#begin(actorRef)
    if (event.type !== 'xstate.init') seen.pending.push({ event, step: this.#push(seen, event) })
  }

  #moved(microstep: Extract<InspectionEvent, { type: '@xstate.microstep' }>): void {
    const { actorRef, event, snapshot } = microstep
    // The first microsteps come before the actor is there.
    const seen = this.#seen.get(actorRef)
    if (seen === undefined) return
    const step = takePending(seen, event) ?? this.#push(seen, event)
    const { edges, actions } = this.#taken.of(microstep)
    step.edges = edges
    step.actions = actions
    seen.state = this.#stateOf(snapshot)
    step.state = seen.state
    if (snapshot.status !== 'active') {
      step.stopped = true
      seen.pending.length = 0
    }
  }

  #push(seen: Seen, event: { readonly type: string }): Step {
    const { actor, state } = seen
    const step = newStep({ n: this.history.end, ms: this.#now(), actor, state }, event)
    this.history.push(step, sizeOf(step))
    return step
  }

  #begin(actorRef: ActorRefLike): Seen {
    const snapshot: object = actorRef.getSnapshot()
    const seen = { actor: this.#actors++, pending: [], state: this.#stateOf(snapshot) }
    this.#seen.set(actorRef, seen)
    const { actor, state } = seen
    const record = { kind: 'actor', n: this.history.end, ms: this.#now(), actor } as const
    this.history.push({ ...record, id: idOf(actorRef), chart: chartNameOf(snapshot), state }, recordBytes)
    return seen
  }

  /** Equal states are the same string, so that a record holds no new one. */
  #stateOf(snapshot: object): string {
    const shared = this.#texts.get(snapshot)
    if (shared !== undefined) return shared
    const text = stateText(snapshot)
    const known = this.#states.get(text) ?? text
    this.#states.set(text, known)
    this.#texts.set(snapshot, known)
    return known
  }
}

function takePending({ pending }: Seen, event: object): Step | undefined {
  const [first] = pending
  if (first?.event === event) {
    pending.shift()
    return first.step
  }
  const index = pending.findIndex((each) => each.event === event)
  return index < 0 ? undefined : pending.splice(index, 1)[0]?.step
}

function idOf(actorRef: object): string {
  return 'id' in actorRef ? String(actorRef.id) : '?'
}

function chartNameOf(snapshot: object): string {
  if (!('machine' in snapshot)) return 'actor'
  const { machine } = snapshot
  return typeof machine === 'object' && machine !== null && 'id' in machine ? String(machine.id) : 'actor'
}

/** `{borrowed: 'executing'}` as `borrowed.executing`; regions side by side, with a space between. */
function stateText(snapshot: object): string {
  return 'value' in snapshot ? valueText('', snapshot.value) : ''
}

function valueText(prefix: string, value: unknown): string {
  if (typeof value === 'string') return prefix + value
  if (!isObject(value)) return prefix
  let text = ''
  for (const key in value) text += `${text === '' ? '' : ' '}${valueText(`${prefix}${key}.`, value[key])}`
  return text === '' && prefix !== '' ? prefix.slice(0, -1) : text
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
