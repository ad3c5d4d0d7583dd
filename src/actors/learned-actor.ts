/** Floor 2: the actor of a chart with learned edges, watched by nobody or by one inspector at little cost. Browser compatible. */
import {
  Actor,
  type ActorOptions,
  type AnyActor,
  type AnyStateMachine,
  createActor,
  createMachine,
  type EventFromLogic,
  type InspectionEvent,
} from 'xstate'
import { type LearnedEdges, learnedEdgesOf } from './learned-edges.ts'

/** A root of no name in its system, which begins at the beginning. */
type RootOptions<M extends AnyStateMachine> = Pick<ActorOptions<M>, 'id' | 'clock' | 'inspect'>

/**
 * The actor of a chart with learned edges. Without `inspect` it takes them without what XState does for inspectors at
 * every step; then none can be attached later.
 */
export function createLearnedActor<M extends AnyStateMachine>(machine: M, options: RootOptions<M>): Actor<M> {
  const edges = learnedEdgesOf(machine)
  if (options.inspect === undefined && edges !== undefined) return new UnwatchedActor(machine, options, edges)
  const stockOptions: ActorOptions<M> = options
  const actor = createActor(machine, stockOptions)
  if (typeof options.inspect === 'function') tellDirectly(actor, options.inspect)
  return actor
}

/** XState copies each inspection event, and asks who wants it. Here one function does, and gets the event as it was made. */
function tellDirectly({ system, sessionId }: AnyActor, inspect: (event: InspectionEvent) => void): void {
  const tellAll: unknown = Reflect.get(system, hidden.tell)
  const attach = system.inspect
  const tell = (event: InspectionEvent) => inspect(Object.assign(event, { rootId: sessionId }))
  Reflect.set(system, hidden.tell, tell)
  system.inspect = (another) => {
    Reflect.set(system, hidden.tell, tellAll)
    return attach(another)
  }
}

/** XState's names of what its types hide. Its version is pinned, and the tests hold both actors side by side. */
const hidden = {
  process: '_process',
  snapshot: '_snapshot',
  observers: 'observers',
  fail: '_error',
  mailbox: 'mailbox',
  tell: '_sendInspectionEvent',
  register: '_register',
  parent: '_parent',
} as const
/** Not a literal, or it could not be overridden. */
const step: string = hidden.process

/** XState's queue of an actor: the first is the event that is processed now. */
interface Mailbox {
  readonly _active: boolean
  _current: Letter | null
  _last: Letter | null
  flush(): void
}

interface Letter {
  readonly value: unknown
  next: Letter | null
}

/**
 * XState makes a system for each root: a book of actors, names, timers and inspectors, larger than the actor itself. The
 * roots of charts that have none of these share the system of this one. It books none of them, so it keeps none alive.
 */
const host = createActor(createMachine({}))
host.system = Object.create(host.system, {
  [hidden.register]: { value: () => {} },
  inspect: { value: refuseInspector },
})

/** Takes learned edges itself; leaves all else to XState: who waits in the mailbox, other edges, what subscribers are told. */
class UnwatchedActor<M extends AnyStateMachine> extends Actor<M> {
  readonly #edges: LearnedEdges
  /** Of an event that finds the mailbox empty, as nearly all do: XState makes one for each. */
  readonly #letter: Letter = { value: undefined, next: null }

  constructor(machine: M, options: RootOptions<M>, edges: LearnedEdges) {
    super(machine, edges.needNoSystem ? { ...options, parent: host } : options)
    this.#edges = edges
    // It took its system from there, and is a root all the same.
    if (edges.needNoSystem) Reflect.set(this, hidden.parent, undefined)
    else this.system.inspect = refuseInspector
  }

  override send(event: EventFromLogic<M>): void {
    const mailbox: Mailbox = this[hidden.mailbox]
    if (!mailbox._active || mailbox._current !== null) {
      this._send(event)
      return
    }
    const letter = this.#letter
    mailbox._current = letter
    mailbox._last = letter
    this[step](event)
    // What came meanwhile stands behind it.
    mailbox._current = letter.next
    letter.next = null
    mailbox.flush()
  }

  [step](event: EventFromLogic<M>): void {
    const snapshot = this[hidden.snapshot]
    const edge = this.#edges.edge(snapshot, event.type)
    if (edge === undefined || this[hidden.observers].size > 0) {
      Actor.prototype[hidden.process].call(this, event)
      return
    }
    const { actions, next } = edge
    if (actions.length > 0) {
      const info = { context: snapshot.context, event, self: this, system: this.system }
      try {
        for (const { exec, params } of actions) exec?.(info, params)
      } catch (error) {
        this[hidden.snapshot] = { ...snapshot, status: 'error', error }
        this[hidden.fail](error)
        return
      }
    }
    this[hidden.snapshot] = next
  }
}

function refuseInspector(): never {
  throw new TypeError('Cannot attach an inspector: this actor was created without one')
}
