/**
 * Floor 2: a chart's plain edges, learned once through XState and replayed. Browser compatible.
 *
 * A stock transition works out anew what it worked out the last time: which states are left and entered, which actions
 * run, what the snapshot looks like. An edge that depends on nothing but the state and the event's type has one answer,
 * so it is taken through XState once and remembered. All other edges go through XState every time.
 */
import type { ActorScope, AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate'
import { PlainEdges, type StateNode, type Transitions } from './plain-edges.ts'

type Scope = ActorScope<AnyMachineSnapshot, AnyEventObject>
type Action = Parameters<Scope['actionExecutor']>[0]

/** A plain edge, as it was taken once. */
export interface Edge {
  readonly next: AnyMachineSnapshot
  /** In the order in which XState ran them. */
  readonly actions: readonly Pick<Action, 'type' | 'params' | 'exec'>[]
  readonly transitions: Transitions
}

/**
 * The same machine, for `createActor`: it takes plain edges from memory. An edge is plain when it has no guard, touches
 * no state with `always`, `after` or `invoke`, and runs named or inline functions only: no `assign`, `raise`, `sendTo`,
 * `emit`, `enqueueActions` and the like, and no computed `params`. Its actors share snapshots, which must not be changed.
 *
 * It does what the machine does, also to an inspector: `tests/actors/learned-edges.test.ts` holds both side by side.
 *
 * @example
 * ```ts
 * import { slotMachine, withLearnedEdges } from 'sandbox-slots/actors'
 * import { createActor } from 'xstate'
 * const actor = createActor(withLearnedEdges(slotMachine)).start()
 * actor.send({ type: 'acquire', trajectoryId: null })
 * console.log(actor.getSnapshot().value) // { acquired: "ready" }
 * ```
 */
export function withLearnedEdges<M extends AnyStateMachine>(machine: M): M {
  const edges = new LearnedEdges(machine)
  const learned: M = Object.create(machine, {
    transition: { value: edges.transition.bind(edges) },
    getInitialSnapshot: { value: edges.getInitialSnapshot.bind(edges) },
    restoreSnapshot: { value: edges.restoreSnapshot.bind(edges) },
  })
  learnedEdges.set(learned, edges)
  return learned
}

const learnedEdges = new WeakMap<AnyStateMachine, LearnedEdges>()

/** What is known of a machine that {@link withLearnedEdges} made. */
export function learnedEdgesOf(machine: AnyStateMachine): LearnedEdges | undefined {
  return learnedEdges.get(machine)
}

/** The edges of one machine, for all its actors. */
export class LearnedEdges {
  readonly #machine: AnyStateMachine
  /** The types that the chart names; others, of which there is no end, are not remembered. */
  readonly #types: ReadonlySet<string>
  readonly #plain: PlainEdges
  /** One snapshot for each configuration. */
  readonly #snapshots = new Map<string, AnyMachineSnapshot>()
  readonly #edges = new WeakMap<AnyMachineSnapshot, Map<string, Edge>>()
  #initial: AnyMachineSnapshot | undefined
  /** Whether its actors put nothing into their system: no child, no timer. */
  readonly needNoSystem: boolean

  constructor(machine: AnyStateMachine) {
    this.#machine = machine
    this.#plain = new PlainEdges(machine)
    this.needNoSystem = this.#plain.runFunctionsOnly()
    // Not `machine.events`, which leaves out those that move nothing.
    this.#types = new Set(namedTypes(machine.root))
  }

  /** The edge that events of this type take, once it was taken and found plain. */
  edge(snapshot: AnyMachineSnapshot, type: string): Edge | undefined {
    return this.#edges.get(snapshot)?.get(type)
  }

  transition(snapshot: AnyMachineSnapshot, event: AnyEventObject, scope: Scope): AnyMachineSnapshot {
    const edge = this.edge(snapshot, event.type)
    const { self, system } = scope
    if (edge === undefined || !tellsInspectors(system)) return this.#learn(snapshot, event, scope)
    const { actions, next, transitions } = edge
    if (actions.length > 0) {
      const info = { context: snapshot.context, event, self, system }
      for (const { type, params, exec } of actions) scope.actionExecutor({ type, params, exec, info })
    }
    system._sendInspectionEvent({
      type: '@xstate.microstep',
      actorRef: self,
      event,
      snapshot: next,
      _transitions: transitions,
    })
    return next
  }

  getInitialSnapshot(scope: Scope, input: unknown): AnyMachineSnapshot {
    if (this.#initial !== undefined) return this.#initial
    const { recording, actions } = recorderOf(scope)
    const initial = this.#shared(this.#machine.getInitialSnapshot(recording, input))
    // A state that is left at once is not in the snapshot, so none may be other than plain.
    const isPlain = this.#edges.has(initial) && this.#plain.startAnywhere()
    if (isPlain && actions.length === 0) this.#initial = initial
    return initial
  }

  restoreSnapshot(persisted: AnyMachineSnapshot, scope: Scope): AnyMachineSnapshot {
    return this.#shared(this.#machine.restoreSnapshot(persisted, scope))
  }

  #learn(snapshot: AnyMachineSnapshot, event: AnyEventObject, scope: Scope): AnyMachineSnapshot {
    const known = this.#edges.get(snapshot)
    if (known === undefined || !this.#types.has(event.type)) {
      return this.#shared(this.#machine.transition(snapshot, event, scope))
    }
    const { recording, actions } = recorderOf(scope)
    const transitions: Transitions = this.#machine.getTransitionData(snapshot, event)
    const steps = this.#machine.microstep(snapshot, event, recording)
    const last = steps.at(-1) ?? snapshot
    const next = this.#shared(last)
    if (
      steps.length === 1 &&
      this.#edges.has(next) &&
      this.#plain.has(snapshot, next, event.type, transitions)
    ) {
      known.set(event.type, {
        next,
        actions: actions.map(({ type, params, exec }) => ({ type, params, exec })),
        transitions,
      })
    }
    return next
  }

  /** The snapshot that stands for all of this configuration, when nothing but the configuration is in it. */
  #shared(snapshot: AnyMachineSnapshot): AnyMachineSnapshot {
    if (this.#edges.has(snapshot) || !isBare(snapshot, this.#machine)) return snapshot
    const key = snapshot._nodes.map(({ id }) => id).join(' ')
    const shared = this.#snapshots.get(key)
    if (shared !== undefined) return shared
    this.#snapshots.set(key, snapshot)
    this.#edges.set(snapshot, new Map())
    return snapshot
  }
}

/** A scope that runs actions as the other does, and keeps them. */
function recorderOf(scope: Scope): { readonly recording: Scope; readonly actions: readonly Action[] } {
  const actions: Action[] = []
  const recording: Scope = Object.create(scope, {
    actionExecutor: {
      // XState puts its own in front for a while.
      writable: true,
      value: (action: Action) => {
        actions.push(action)
        scope.actionExecutor(action)
      },
    },
  })
  return { recording, actions }
}

/** How XState's systems tell their inspectors, which is not in their public type. */
interface TellsInspectors {
  _sendInspectionEvent(event: object): void
}

/** A system that does not must take every edge itself, or its inspectors would miss some. */
export function tellsInspectors(system: object): system is TellsInspectors {
  return '_sendInspectionEvent' in system
}

/** Whether its configuration is all that a snapshot holds. */
function isBare(snapshot: AnyMachineSnapshot, machine: AnyStateMachine): boolean {
  const { context } = machine.config
  return (
    snapshot.status === 'active' &&
    snapshot.machine === machine &&
    typeof context !== 'function' &&
    (context === undefined ? isEmpty(snapshot.context) : snapshot.context === context) &&
    isEmpty(snapshot.children) &&
    isEmpty(snapshot.historyValue)
  )
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false
  return true
}

function namedTypes({ transitions, states }: StateNode): string[] {
  return [...transitions.keys(), ...Object.values(states).flatMap(namedTypes)]
}
