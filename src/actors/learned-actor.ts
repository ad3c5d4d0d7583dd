/** Floor 2: the actor of a chart with learned edges, watched by nobody or by an inspector at little cost. Browser compatible. */
import {
  Actor,
  type ActorOptions,
  type AnyStateMachine,
  createActor,
  createMachine,
  type EventFromLogic,
  type InspectionEvent,
} from 'xstate'
import { type Edge, type LearnedEdges, learnedEdgesOf, tellsInspectors } from './learned-edges.ts'

/** A root of no name in its system, which begins at the beginning. */
type RootOptions<M extends AnyStateMachine> = Pick<ActorOptions<M>, 'id' | 'clock' | 'inspect'>

/**
 * The actor of a chart with learned edges. Without `inspect` it takes them without what XState does for inspectors at
 * every step; then none can be attached later.
 */
export function createLearnedActor<M extends AnyStateMachine>(machine: M, options: RootOptions<M>): Actor<M> {
  const edges = learnedEdgesOf(machine)
  if (edges !== undefined) return new LearnedActor(machine, options, edges)
  const stockOptions: ActorOptions<M> = options
  return createActor(machine, stockOptions)
}

/** XState's names of what its types hide. Its version is pinned, and the tests hold both actors side by side. */
const hidden = {
  process: '_process',
  snapshot: '_snapshot',
  observers: 'observers',
  fail: '_error',
  mailbox: 'mailbox',
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

/** To be used again: XState makes one for each event. One in each actor would be found cold when slots are many. */
const letters: Letter[] = []

type Tell = (event: InspectionEvent) => void

/** Takes learned edges itself; leaves all else to XState: who waits in the mailbox, other edges, what subscribers are told. */
class LearnedActor<M extends AnyStateMachine> extends Actor<M> {
  readonly #edges: LearnedEdges
  /** The inspector, told of learned edges without XState's copies. */
  #tell: Tell | undefined

  constructor(machine: M, options: RootOptions<M>, edges: LearnedEdges) {
    const { inspect } = options
    const isBooked = inspect !== undefined || !edges.needNoSystem
    super(machine, isBooked ? options : { ...options, parent: host })
    this.#edges = edges
    if (!isBooked) {
      // It took its system from there, and is a root all the same.
      Reflect.set(this, hidden.parent, undefined)
      // XState binds it to each actor: one more object, for those who would call it without its actor.
      this.send = LearnedActor.prototype.send
    } else if (inspect === undefined) this.system.inspect = refuseInspector
    else {
      this.#tell = typeof inspect === 'function' ? inspect : (event) => inspect.next?.(event)
      this.#expectAnother()
    }
  }

  /** When a second inspector comes, XState tells both. */
  #expectAnother(): void {
    const { system } = this
    const attach = system.inspect
    system.inspect = (another) => {
      this.#tell = (event) => tellThrough(system, event)
      return attach(another)
    }
  }

  override send(event: EventFromLogic<M>): void {
    this.#tell?.({
      type: '@xstate.event',
      rootId: this.sessionId,
      sourceRef: undefined,
      actorRef: this,
      event,
    })
    const mailbox: Mailbox = this[hidden.mailbox]
    if (!mailbox._active || mailbox._current !== null) {
      this._send(event)
      return
    }
    const letter = letters.pop() ?? { value: undefined, next: null }
    mailbox._current = letter
    mailbox._last = letter
    this[step](event)
    // What came meanwhile stands behind it.
    mailbox._current = letter.next
    letter.next = null
    letters.push(letter)
    mailbox.flush()
  }

  [step](event: EventFromLogic<M>): void {
    const snapshot = this[hidden.snapshot]
    const edge = this.#edges.edge(snapshot, event.type)
    if (edge === undefined || this[hidden.observers].size > 0) {
      Actor.prototype[hidden.process].call(this, event)
      return
    }
    try {
      this.#run(edge, event)
    } catch (error) {
      this[hidden.snapshot] = { ...snapshot, status: 'error', error }
      this[hidden.fail](error)
      return
    }
    this[hidden.snapshot] = edge.next
    this.#tell?.({
      type: '@xstate.snapshot',
      rootId: this.sessionId,
      actorRef: this,
      event,
      snapshot: edge.next,
    })
  }

  #run({ actions, next, transitions }: Edge, event: EventFromLogic<M>): void {
    const tell = this.#tell
    const rootId = this.sessionId
    if (actions.length > 0) {
      const info = { context: this[hidden.snapshot].context, event, self: this, system: this.system }
      for (const { type, params, exec } of actions) {
        tell?.({ type: '@xstate.action', rootId, actorRef: this, action: { type, params } })
        exec?.(info, params)
      }
    }
    tell?.({
      type: '@xstate.microstep',
      rootId,
      actorRef: this,
      event,
      snapshot: next,
      _transitions: transitions,
    })
  }
}

function tellThrough(system: object, event: InspectionEvent): void {
  if (tellsInspectors(system)) system._sendInspectionEvent(event)
}

function refuseInspector(): never {
  throw new TypeError('Cannot attach an inspector: this actor was created without one')
}
