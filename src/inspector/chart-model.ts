/** Floor 3: a machine as plain data, ready to be drawn. Pure. Browser compatible. */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate'

export type ChartStateKind = 'atomic' | 'compound' | 'parallel' | 'final' | 'history'

/** One state, with those inside it. */
export interface ChartState {
  /** Unique in the chart, as XState names it: `slot.borrowed.executing`. */
  readonly id: string
  /** Its name where it stands: `executing`. */
  readonly key: string
  readonly kind: ChartStateKind
  /** The id of the state that a compound state begins with; of a history state, the one without a history. */
  readonly initial?: string
  readonly description?: string
  readonly tags: readonly string[]
  readonly entry: readonly string[]
  readonly exit: readonly string[]
  /** What runs while the state is active. */
  readonly invokes: readonly string[]
  readonly states: readonly ChartState[]
}

/** One way from a state: all states inside it have it too, unless they have their own for the event. */
export interface ChartTransition {
  readonly source: string
  /** Ids; none when the chart stays where it is: with actions, or to say that the event is expected there. */
  readonly targets: readonly string[]
  /** As a reader calls it: an event's name, `always`, `after 1000 ms`, `done`. */
  readonly event: string
  readonly guard?: string
  readonly actions: readonly string[]
  /** Its source is left and entered again, though the target is inside it. */
  readonly reenter: boolean
  readonly description?: string
}

export interface Chart {
  readonly id: string
  readonly root: ChartState
  /** In the order in which the machine declares them, by state. */
  readonly transitions: readonly ChartTransition[]
}

/** Reads a machine. */
export function chartOf(machine: AnyStateMachine): Chart {
  const { root } = machine
  return { id: machine.id, root: stateOf(root), transitions: transitionsOf(root) }
}

/** A state and all inside it, from the outside in. */
export function statesWithin(state: ChartState): ChartState[] {
  return [state, ...state.states.flatMap(statesWithin)]
}

function stateOf(node: AnyStateNode): ChartState {
  const initial = initialOf(node)
  const { description } = node
  return {
    id: node.id,
    key: node.key,
    kind: node.type,
    ...(initial === undefined ? {} : { initial }),
    ...(description === undefined ? {} : { description }),
    tags: node.tags,
    entry: node.entry.filter(isDeclared).map(nameOf),
    exit: node.exit.filter(isDeclared).map(nameOf),
    invokes: node.invoke.map(({ src }) => nameOf(src)),
    states: Object.values(node.states).map(stateOf),
  }
}

function initialOf(node: AnyStateNode): string | undefined {
  if (node.type === 'compound') return node.initial.target[0]?.id
  if (node.type !== 'history') return undefined
  const { target } = node.config
  return typeof target === 'string' ? node.parent?.states[target]?.id : undefined
}

function transitionsOf(node: AnyStateNode): ChartTransition[] {
  const byEvent = [...node.transitions.values()].flat()
  const own = [...(node.always ?? []), ...byEvent].map(transitionOf)
  return [...own, ...Object.values(node.states).flatMap(transitionsOf)]
}

function transitionOf(transition: AnyTransitionDefinition): ChartTransition {
  const { source, target = [], eventType, guard, actions, reenter, description } = transition
  return {
    source: source.id,
    targets: target.map(({ id }) => id),
    event: eventName(eventType),
    ...(guard === undefined ? {} : { guard: nameOf(guard) }),
    actions: actions.map(nameOf),
    reenter: reenter && target.length > 0,
    ...(description === undefined ? {} : { description }),
  }
}

/** XState starts and stops the timers of `after` by actions of its own. */
function isDeclared(action: unknown): boolean {
  if (typeof action !== 'function') return true
  const timer = 'id' in action ? action.id : 'sendId' in action ? action.sendId : undefined
  return !(typeof timer === 'string' && timer.startsWith('xstate.after.'))
}

/** XState's own events, in words. */
function eventName(type: string): string {
  if (type === '') return 'always'
  const [, kind = '', rest = ''] =
    /^xstate\.(after|done\.state|done\.actor|error\.actor|snapshot)\.(.*)$/.exec(type) ?? []
  switch (kind) {
    case 'after':
      return `after ${delayOf(rest)}`
    case 'done.state':
      return 'done'
    case 'done.actor':
      return `done ${rest}`
    case 'error.actor':
      return `error ${rest}`
    case 'snapshot':
      return `snapshot ${rest}`
    default:
      return type
  }
}

/** `1000.slot.idle` is a time and where it is waited for; a named delay has its name first. */
function delayOf(text: string): string {
  const [delay = text] = text.split('.')
  return /^\d+$/.test(delay) ? `${delay} ms` : delay
}

/** The name of an action, a guard or an actor: they are strings, objects with a type, or functions. */
function nameOf(part: unknown): string {
  if (typeof part === 'string') return part
  if (typeof part === 'object' && part !== null && 'type' in part) return String(part.type)
  if (typeof part !== 'function') return 'inline'
  const name = 'type' in part && typeof part.type === 'string' ? part.type : part.name
  return inlineNames.has(name) ? 'inline' : name.replace(/^xstate\./, '')
}

/** JavaScript calls a function without a name by the property that it is written at. */
const inlineNames: ReadonlySet<string> = new Set(['', 'actions', 'entry', 'exit', 'guard', 'src'])
