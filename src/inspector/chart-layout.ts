/**
 * Floor 3: where the boxes, ways and labels of a chart are. ELK finds the places when the project is built; what it found
 * is committed (`charts.generated.ts`), so that nothing but data is needed to draw.
 */
import ElkEngine, { type ElkExtendedEdge, type ElkNode, type LayoutOptions } from 'elkjs/lib/elk.bundled.js'
import type { Chart, ChartState } from './chart-model.ts'
import {
  type Box,
  type Drawing,
  extentOf,
  type PlacedArrow,
  type PlacedState,
  sizes,
  type Way,
} from './drawing.ts'
import { type Gathered, type GatheredEdge, gatherEdges, namedTransitions, tagsOf } from './gather-edges.ts'

const spacing: LayoutOptions = {
  'elk.spacing.nodeNode': '18',
  'elk.spacing.edgeNode': '10',
  'elk.spacing.edgeEdge': '9',
  'elk.spacing.edgeLabel': '2',
  'elk.spacing.labelLabel': '3',
  'elk.spacing.labelNode': '4',
  'elk.layered.spacing.nodeNodeBetweenLayers': '22',
  'elk.layered.spacing.edgeNodeBetweenLayers': '9',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '9',
}

const layered: LayoutOptions = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.hierarchyHandling': 'SEPARATE_CHILDREN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.considerModelOrder.strategy': 'NODES_AND_EDGES',
  'elk.layered.cycleBreaking.strategy': 'MODEL_ORDER',
  'elk.layered.compaction.postCompaction.strategy': 'EDGE_LENGTH',
  'elk.layered.thoroughness': '60',
  'elk.randomSeed': '1',
  'elk.json.edgeCoords': 'ROOT',
  'elk.json.shapeCoords': 'ROOT',
  ...spacing,
}

/** Lays a chart out. The same chart gives the same drawing. */
export async function drawingOf(chart: Chart): Promise<Drawing> {
  const gathered = gatherEdges(chart)
  const shaper = new Shaper(chart, gathered)
  const root = { ...shaper.node(chart.root), edges: gathered.arrows.map(elkEdge) }
  const placed = await new ElkEngine().layout(root)
  return {
    chart: chart.id,
    width: whole(placed.width),
    height: whole(placed.height),
    states: placedStates(chart.root, placed, gathered, tagsOf(chart.root)),
    arrows: gathered.arrows.map((arrow, index) => placedArrow(arrow, placed.edges?.[index])),
    ways: waysOf(chart),
  }
}

/** What ELK is told of each state. */
class Shaper {
  readonly #chart: Chart
  readonly #lines: Gathered['lines']

  constructor(chart: Chart, { lines }: Gathered) {
    this.#chart = chart
    this.#lines = lines
  }

  node(state: ChartState): ElkNode {
    const { width, height } = this.#size(state)
    const base = { id: state.id, width, height }
    const first =
      state.id === this.#chart.root.initial ? { 'elk.layered.layering.layerConstraint': 'FIRST' } : {}
    if (state.states.length === 0) return { ...base, layoutOptions: first }
    return {
      ...base,
      layoutOptions: {
        ...layered,
        ...first,
        'elk.padding': `[top=${this.#isBareRoot(state) ? 8 : height + 8},left=14,bottom=14,right=14]`,
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': `(${width},${height})`,
      },
      children: state.states.map((inner) => this.node(inner)),
    }
  }

  #size(state: ChartState): { width: number; height: number } {
    const lines = this.#lines[state.id] ?? []
    const texts = extentOf(lines)
    const width = Math.max(state.key.length * sizes.nameChar + sizes.badge, texts.width)
    const height = sizes.head + (lines.length > 0 ? texts.height + sizes.foot : 0)
    return { width: Math.ceil(width + 2 * sizes.padding), height }
  }

  #isBareRoot(state: ChartState): boolean {
    return state === this.#chart.root && (this.#lines[state.id] ?? []).length === 0
  }
}

function elkEdge({ source, target, lines }: GatheredEdge): ElkExtendedEdge {
  const id = `${source} → ${target}`
  const { width, height } = extentOf(lines)
  const layoutOptions = { 'elk.edgeLabels.inline': 'true' }
  return {
    id,
    sources: [source],
    targets: [target],
    labels: [{ text: id, width: width + 8, height: height + 4, layoutOptions }],
  }
}

function placedStates(
  state: ChartState,
  node: ElkNode,
  { lines }: Gathered,
  tags: ReadonlyMap<string, string>,
): PlacedState[] {
  const { id, key, kind, initial, description } = state
  const tag = tags.get(id)
  const own: PlacedState = {
    id,
    key,
    kind,
    ...boxOf(node),
    ...(initial === undefined ? {} : { initial }),
    ...(tag === undefined ? {} : { tag }),
    ...(description === undefined ? {} : { description }),
    lines: lines[id] ?? [],
  }
  const inner = state.states.flatMap((child) => {
    const place = node.children?.find((each) => each.id === child.id)
    return place === undefined ? [] : placedStates(child, place, { lines, arrows: [] }, tags)
  })
  return [own, ...inner]
}

function placedArrow(
  { source, target, lines }: GatheredEdge,
  placed: ElkExtendedEdge | undefined,
): PlacedArrow {
  const section = placed?.sections?.[0]
  const points =
    section === undefined ? [] : [section.startPoint, ...(section.bendPoints ?? []), section.endPoint]
  return {
    source,
    target,
    lines,
    points: points.map(({ x, y }) => [whole(x), whole(y)]),
    label: boxOf(placed?.labels?.[0] ?? {}),
  }
}

function waysOf(chart: Chart): Way[] {
  return namedTransitions(chart).map(({ transition, edge }) => {
    const { source, targets, event, guard, actions } = transition
    return { edge, source, targets, event, ...(guard === undefined ? {} : { guard }), actions }
  })
}

function boxOf({ x, y, width, height }: Partial<Box>): Box {
  return { x: whole(x), y: whole(y), width: whole(width), height: whole(height) }
}

function whole(value: number | undefined): number {
  return Math.round(value ?? 0)
}
