/** Floor 2: which edges of a chart are plain: whatever else there is, they do the same each time. Browser compatible. */
import type { AnyMachineSnapshot, AnyStateMachine, InspectionEvent } from 'xstate'

export type StateNode = AnyMachineSnapshot['_nodes'][number]
export type Transitions = Extract<InspectionEvent, { type: '@xstate.microstep' }>['_transitions']

/** The plain edges of one machine, as `withLearnedEdges` says what these are. */
export class PlainEdges {
  readonly #machine: AnyStateMachine
  readonly #nodes = new Map<StateNode, boolean>()

  constructor(machine: AnyStateMachine) {
    this.#machine = machine
  }

  /** Whether the edge from one state to the other, taken for an event of this type, is plain. */
  has(from: AnyMachineSnapshot, to: AnyMachineSnapshot, type: string, transitions: Transitions): boolean {
    return (
      [...from._nodes, ...to._nodes].every((node) => this.#isPlainNode(node)) &&
      from._nodes.every((node) => isUnguarded(node, type)) &&
      this.#havePlainActions(transitions)
    )
  }

  /** Whether one step leads into the machine, wherever it begins: a final state makes another one. */
  startAnywhere(node: StateNode = this.#machine.root): boolean {
    const children = Object.values(node.states)
    return (
      node.type !== 'final' && this.#isPlainNode(node) && children.every((child) => this.startAnywhere(child))
    )
  }

  /** Whether no edge does more than run functions, guarded or not: no child, no timer, nothing sent. */
  runFunctionsOnly(node: StateNode = this.#machine.root): boolean {
    return (
      typeof this.#machine.config.context !== 'function' &&
      node.invoke.length === 0 &&
      this.#isPlainNode(node) &&
      [...node.transitions.values()].every((transitions) => this.#havePlainActions(transitions)) &&
      Object.values(node.states).every((child) => this.runFunctionsOnly(child))
    )
  }

  #isPlainNode(node: StateNode): boolean {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known
    const { entry, exit, initial, always } = node
    const isPlain =
      (always === undefined || always.length === 0) &&
      // `after` is an entry action that schedules, so it is no plain one; what is invoked is a child of the snapshot.
      [...entry, ...exit, ...(initial?.actions ?? [])].every((action) => this.#isPlainAction(action))
    this.#nodes.set(node, isPlain)
    return isPlain
  }

  #havePlainActions(transitions: Transitions): boolean {
    return transitions.every(({ actions }) => actions.every((action) => this.#isPlainAction(action)))
  }

  #isPlainAction(action: StateNode['entry'][number]): boolean {
    if (typeof action === 'object' && 'params' in action && typeof action.params === 'function') return false
    const named = typeof action === 'string' ? action : typeof action === 'object' ? action.type : undefined
    const implemented = named === undefined ? action : this.#machine.implementations.actions[named]
    // What XState makes itself (assign, raise, …) is resolved by it, and may change the snapshot.
    return typeof implemented !== 'function' || !('resolve' in implemented)
  }
}

/** Whether no transition that `type` could select in this state has a guard. */
function isUnguarded(node: StateNode, type: string): boolean {
  for (const [descriptor, transitions] of node.transitions) {
    const couldMatch = descriptor === type || descriptor.endsWith('*')
    if (couldMatch && transitions.some(({ guard }) => guard !== undefined)) return false
  }
  return true
}
