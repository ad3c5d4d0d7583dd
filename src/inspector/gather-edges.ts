/**
 * Floor 3: the ways of a chart, gathered as they are drawn. Ways between neighbours are arrows. A way that crosses a
 * border is a line in its source (`fault → faulted.draining`), and all such ways between two neighbours together are
 * one arrow: drawn one by one they would fill the chart. Pure.
 */
import { type Chart, type ChartState, type ChartTransition, statesWithin } from './chart-model.ts'
import type { ChartLine } from './drawing.ts'
import { edgeKey } from './microsteps.ts'

export interface GatheredEdge {
  readonly source: string
  readonly target: string
  /** One for each event. */
  readonly lines: readonly ChartLine[]
}

/** What is drawn of a chart's transitions. */
export interface Gathered {
  readonly arrows: readonly GatheredEdge[]
  /** Lines in states, by state. */
  readonly lines: Readonly<Record<string, readonly ChartLine[]>>
}

export function gatherEdges(chart: Chart): Gathered {
  const home = new Homes(chart)
  const arrows = new Map<string, Arrow>()
  const texts = new Map(statesWithin(chart.root).map((state) => [state.id, ownTexts(state)]))
  for (const { transition, edge } of namedTransitions(chart)) {
    const { source, targets } = transition
    const ends = targets.map((target) => home.arrow(source, target))
    for (const arrow of ends) if (arrow !== undefined) addToArrow(arrows, arrow, transition, edge)
    if (targets.length === 0) texts.get(source)?.stays.push({ edges: [edge], text: eventText(transition) })
    else if (!targets.every((target, index) => isItself(ends[index], source, target)))
      texts.get(source)?.others.push({ edges: [edge], text: wayText(chart, transition) })
  }
  return {
    arrows: [...arrows.values()].map(({ source, target, texts }) => ({
      source,
      target,
      lines: stacked(texts),
    })),
    lines: Object.fromEntries([...texts].map(([id, { stays, others }]) => [id, arranged(stays, others)])),
  }
}

type Text = Pick<ChartLine, 'edges' | 'text'>

interface Arrow {
  readonly source: string
  readonly target: string
  readonly texts: Text[]
}

/** How many characters of what happens in a state stand side by side. */
const rowCharacters = 30

/** What happens in a state without leaving it goes side by side, the rest below each other. */
function arranged(stays: readonly Text[], others: readonly Text[]): ChartLine[] {
  const lines: ChartLine[] = []
  let row = 0
  let column = 0
  for (const { edges, text } of stays) {
    if (column > 0 && column + text.length > rowCharacters) {
      row += 1
      column = 0
    }
    const shown = `${column === 0 ? '↻ ' : '· '}${text}`
    lines.push({ edges, text: shown, row, column })
    column += shown.length + 1
  }
  return [...lines, ...stacked(others, stays.length > 0 ? row + 1 : 0)]
}

function stacked(texts: readonly Text[], from = 0): ChartLine[] {
  return texts.map((text, index) => ({ ...text, row: from + index, column: 0 }))
}

/** What each state shows: its own tag, or that of a state around it. */
export function tagsOf(state: ChartState, around?: string): Map<string, string> {
  const tag = state.tags[0] ?? around
  const own: [string, string][] = tag === undefined ? [] : [[state.id, tag]]
  return new Map([...own, ...state.states.flatMap((inner) => [...tagsOf(inner, tag)])])
}

/** Every transition, with the name that recordings give it. */
export function namedTransitions(chart: Chart): { transition: ChartTransition; edge: string }[] {
  const counts = new Map<string, number>()
  return chart.transitions.map((transition) => {
    const { source, event } = transition
    const index = counts.get(`${source} ${event}`) ?? 0
    counts.set(`${source} ${event}`, index + 1)
    return { transition, edge: edgeKey(source, event, index) }
  })
}

type Ends = readonly [source: string, target: string]

/** Knows who is a neighbour of whom. */
class Homes {
  readonly #paths = new Map<string, readonly string[]>()

  constructor({ root }: Chart) {
    this.#walk(root, [])
  }

  /** The two neighbours between which a way is drawn; none when one of its ends is inside the other. */
  arrow(source: string, target: string): Ends | undefined {
    const from = this.#paths.get(source) ?? []
    const to = this.#paths.get(target) ?? []
    const parting = from.findIndex((id, index) => id !== to[index])
    const ends = [from[parting], to[parting]] as const
    if (parting < 0 || ends[0] === undefined || ends[1] === undefined) return undefined
    return [ends[0], ends[1]]
  }

  #walk({ id, states }: ChartState, around: readonly string[]): void {
    const path = [...around, id]
    this.#paths.set(id, path)
    for (const inner of states) this.#walk(inner, path)
  }
}

function isItself(ends: Ends | undefined, source: string, target: string): boolean {
  return ends !== undefined && ends[0] === source && ends[1] === target
}

function ownTexts({ entry, exit, invokes }: ChartState): { stays: Text[]; others: Text[] } {
  const texts = [
    ...entry.map((action) => `entry / ${action}`),
    ...exit.map((action) => `exit / ${action}`),
    ...invokes.map((source) => `invoke ${source}`),
  ]
  return { stays: [], others: texts.map((text) => ({ edges: [], text })) }
}

function addToArrow(
  arrows: Map<string, Arrow>,
  [source, target]: Ends,
  transition: ChartTransition,
  edge: string,
): void {
  const key = `${source} ${target}`
  const arrow = arrows.get(key) ?? { source, target, texts: [] }
  arrows.set(key, arrow)
  const text = eventText(transition)
  const index = arrow.texts.findIndex((line) => line.text === text)
  const known = arrow.texts[index]
  if (known === undefined) arrow.texts.push({ edges: [edge], text })
  else arrow.texts[index] = { text, edges: [...known.edges, edge] }
}

function wayText(chart: Chart, transition: ChartTransition): string {
  const targets = transition.targets.map((target) => shortName(chart, target))
  return `${eventText(transition)} → ${targets.join(', ')}`
}

function eventText({ event, guard }: ChartTransition): string {
  return guard === undefined ? event : `${event} [${guard}]`
}

function shortName({ root }: Chart, id: string): string {
  return id.startsWith(`${root.id}.`) ? id.slice(root.id.length + 1) : id
}
