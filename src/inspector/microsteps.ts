/**
 * Floor 3: which edges an actor took. XState tells it in one private field, `_transitions` of its microstep events,
 * read here and nowhere else. Browser compatible.
 */
import type { AnyStateNode, AnyTransitionDefinition, InspectionEvent } from 'xstate'

type Microstep = Extract<InspectionEvent, { type: '@xstate.microstep' }>

/** What a microstep did. Lists are shared: equal ones are the same object. */
export interface Taken {
  /** As {@link edgeKey} names them. */
  readonly edges: readonly string[]
  readonly actions: readonly string[]
}

const nothingTaken: Taken = { edges: [], actions: [] }

/** Remembers each transition's names. */
export class TakenEdges {
  readonly #byTransition = new WeakMap<AnyTransitionDefinition, Taken>()
  readonly #several = new Map<string, Taken>()

  of(microstep: Microstep): Taken {
    const { _transitions: transitions } = microstep
    const [first] = transitions
    if (first === undefined) return nothingTaken
    return transitions.length === 1 ? this.#one(first) : this.#all(transitions)
  }

  #one(transition: AnyTransitionDefinition): Taken {
    let taken = this.#byTransition.get(transition)
    if (taken === undefined) {
      taken = { edges: [edgeKeyOf(transition)], actions: transition.actions.flatMap(actionName) }
      this.#byTransition.set(transition, taken)
    }
    return taken
  }

  #all(transitions: readonly AnyTransitionDefinition[]): Taken {
    const each = transitions.map((transition) => this.#one(transition))
    const edges = each.flatMap((taken) => taken.edges)
    const key = edges.join('\n')
    const known = this.#several.get(key)
    if (known !== undefined) return known
    const taken = { edges, actions: each.flatMap(({ actions }) => actions) }
    this.#several.set(key, taken)
    return taken
  }
}

/** The name of an edge: its source, its event, and which of the source's edges for that event it is. */
export function edgeKey(source: string, event: string, index: number): string {
  return `${source} ${event === '' ? 'always' : event}${index === 0 ? '' : ` #${index + 1}`}`
}

function edgeKeyOf(transition: AnyTransitionDefinition): string {
  const { source, eventType } = transition
  const siblings = edgesOf(source, eventType)
  // `provide` and the like make new objects, which are still found by what they are.
  const index = siblings.indexOf(transition)
  return edgeKey(source.id, eventType, Math.max(0, index))
}

function edgesOf(source: AnyStateNode, eventType: string): readonly AnyTransitionDefinition[] {
  return (eventType === '' ? source.always : source.transitions.get(eventType)) ?? []
}

function actionName(action: unknown): string[] {
  if (typeof action === 'string') return [action]
  if (typeof action === 'object' && action !== null && 'type' in action) return [String(action.type)]
  return []
}
