/** Floor 3: a chart as Mermaid text (`stateDiagram-v2`). Pure. Browser compatible. */
import { type Chart, type ChartState, type ChartTransition, statesWithin } from './chart-model.ts'

/**
 * Draws a chart. Edges carry `event [guard] / actions`; ways that stay in a state are lines in the state itself.
 *
 * @example
 * ```ts
 * console.log(mermaidOf(chartOf(slotMachine)))
 * ```
 */
export function mermaidOf(chart: Chart): string {
  return new MermaidText(chart).text()
}

class MermaidText {
  readonly #chart: Chart
  readonly #states: ReadonlyMap<string, ChartState>
  readonly #names: ReadonlyMap<string, string>
  readonly #parents: ReadonlyMap<string, string>
  readonly #lines: string[] = []

  constructor(chart: Chart) {
    this.#chart = chart
    const states = statesWithin(chart.root)
    this.#states = new Map(states.map((state) => [state.id, state]))
    this.#names = namesOf(states, chart.root.id)
    this.#parents = new Map(states.flatMap(({ id, states }) => states.map((inner) => [inner.id, id])))
  }

  text(): string {
    const { root } = this.#chart
    this.#line(0, 'stateDiagram-v2')
    if (this.#needsFrame(root)) this.#state(1, root)
    else this.#inside(1, root)
    this.#farEdges()
    return `${this.#lines.join('\n')}\n`
  }

  /** Mermaid has regions, edges and notes only where there is a state to have them. */
  #needsFrame(root: ChartState): boolean {
    return root.kind === 'parallel' || root.description !== undefined || this.#from(root).length > 0
  }

  #state(depth: number, state: ChartState): void {
    const name = this.#name(state.id)
    if (state.kind === 'history') this.#line(depth, `state "H" as ${name}`)
    else this.#line(depth, `state "${escaped(state.key)}" as ${name}${state.states.length > 0 ? ' {' : ''}`)
    if (state.states.length > 0) {
      this.#inside(depth + 1, state)
      this.#line(depth, '}')
    }
    const stays = this.#stays(state)
    const isSimple = state.states.length === 0
    if (isSimple) for (const line of stays) this.#line(depth, `${name} : ${escaped(line)}`)
    const description = state.description === undefined ? [] : [state.description]
    this.#note(depth, name, isSimple ? description : [...description, ...stays])
  }

  #inside(depth: number, state: ChartState): void {
    if (state.initial !== undefined) this.#line(depth, `[*] --> ${this.#name(state.initial)}`)
    for (const [index, inner] of state.states.entries()) {
      if (index > 0 && state.kind === 'parallel') this.#line(depth, '--')
      this.#state(depth, inner)
    }
    for (const { id, kind } of state.states) {
      if (kind === 'final') this.#line(depth, `${this.#name(id)} --> [*]`)
    }
    for (const edge of this.#edges()) {
      if (this.#homeOf(edge) === state.id) this.#edge(depth, edge)
    }
  }

  /** Edges over a border: Mermaid would move their ends to where they are written, so they are written outside. */
  #farEdges(): void {
    for (const edge of this.#edges()) if (this.#homeOf(edge) === undefined) this.#edge(1, edge)
  }

  /** The state in which both ends of an edge are, side by side. */
  #homeOf({ from, to }: Edge): string | undefined {
    const home = this.#parents.get(from)
    return home === this.#parents.get(to) ? home : undefined
  }

  #edges(): Edge[] {
    return this.#chart.transitions.flatMap((way) =>
      way.targets.flatMap((target) => {
        const to = this.#endOf(way.source, target)
        return to === undefined ? [] : [{ from: way.source, to, label: labelOf(way) }]
      }),
    )
  }

  /**
   * Where the arrow ends: Mermaid draws none between a state and one around it. So a way outward ends at the initial
   * state there, and what cannot be an arrow at all is undefined.
   */
  #endOf(source: string, target: string): string | undefined {
    if (this.#isInside(target, source)) return undefined
    if (!this.#isInside(source, target)) return target
    const initial = this.#states.get(target)?.initial
    return initial === undefined ? undefined : this.#endOf(source, initial)
  }

  #isInside(inner: string, outer: string): boolean {
    const parent = this.#parents.get(inner)
    return parent !== undefined && (parent === outer || this.#isInside(parent, outer))
  }

  #edge(depth: number, { from, to, label }: Edge): void {
    this.#line(depth, `${this.#name(from)} --> ${this.#name(to)} : ${escaped(label)}`)
  }

  /** What happens in a state that is not left: it stands in the box of a simple state, in a note at another one. */
  #stays(state: ChartState): string[] {
    return [
      ...(state.entry.length > 0 ? [`entry / ${state.entry.join(', ')}`] : []),
      ...(state.exit.length > 0 ? [`exit / ${state.exit.join(', ')}`] : []),
      ...state.invokes.map((source) => `invoke ${source}`),
      ...this.#from(state).flatMap((way) => this.#staysOf(way)),
    ]
  }

  #staysOf(way: ChartTransition): string[] {
    if (way.targets.length === 0) return [labelOf(way)]
    const withoutArrow = way.targets.filter((target) => this.#endOf(way.source, target) === undefined)
    if (withoutArrow.length === 0) return []
    return [`${labelOf(way)} → ${withoutArrow.map((target) => this.#states.get(target)?.key).join(', ')}`]
  }

  #note(depth: number, name: string, lines: readonly string[]): void {
    if (lines.length === 0) return
    this.#line(depth, `note right of ${name}`)
    for (const line of lines) this.#line(depth + 1, escapedNote(line))
    this.#line(depth, 'end note')
  }

  #from({ id }: ChartState): ChartTransition[] {
    return this.#chart.transitions.filter(({ source }) => source === id)
  }

  #name(id: string): string {
    return this.#names.get(id) ?? id
  }

  #line(depth: number, text: string): void {
    this.#lines.push(`${'  '.repeat(depth)}${text}`)
  }
}

interface Edge {
  readonly from: string
  readonly to: string
  readonly label: string
}

function labelOf({ event, guard, actions }: ChartTransition): string {
  const condition = guard === undefined ? '' : ` [${guard}]`
  return `${event}${condition}${actions.length > 0 ? ` / ${actions.join(', ')}` : ''}`
}

/** Ids that Mermaid takes: letters, digits and underscores, each once, none of its own words. */
function namesOf(states: readonly ChartState[], rootId: string): Map<string, string> {
  const names = new Map<string, string>()
  const taken = new Set(mermaidWords)
  for (const { id } of states) {
    const short = id.startsWith(`${rootId}.`) ? id.slice(rootId.length + 1) : id
    const plain = short.replace(/[^A-Za-z\d_]/g, '_').replace(/^(?=\d)/, '_')
    let name = plain
    for (let n = 2; taken.has(name.toLowerCase()); n++) name = `${plain}_${n}`
    taken.add(name.toLowerCase())
    names.set(id, name)
  }
  return names
}

const mermaidWords = [
  'state',
  'note',
  'end',
  'as',
  'class',
  'classdef',
  'style',
  'direction',
  'default',
  'click',
]

/** Text in which Mermaid sees no syntax. */
function escaped(text: string): string {
  return withEntities(text, /[#;"<>{}%:&]/g)
}

/** A note goes on to its `end note`, so that most signs are free. */
function escapedNote(text: string): string {
  return withEntities(text, /[#<>%&]|(?<=end) (?=note)/gi)
}

/** Mermaid's entities are `#code;`. */
function withEntities(text: string, special: RegExp): string {
  return text
    .replace(/\s+/g, ' ')
    .trim()
    .replace(special, (character) => `#${character.codePointAt(0)};`)
}
