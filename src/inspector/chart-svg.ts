/** Floor 3: a drawing as SVG text. Pure. Browser compatible. */
import { type ChartLine, type Drawing, type PlacedArrow, type PlacedState, sizes } from './drawing.ts'

/** Options of {@link svgOf}. */
export interface SvgOptions {
  /** With its own style sheet, for light and dark: for files. Without it the page around brings the styles. */
  readonly standalone?: boolean
  /** With a place for a count in each state. */
  readonly counts?: boolean
}

/** Draws a chart. States have `data-state`; texts and arrows `data-edges`, one a line. */
export function svgOf(drawing: Drawing, { standalone = false, counts = false }: SvgOptions = {}): string {
  const { chart, width, height } = drawing
  const title = `State chart: ${chart}`
  const outline = [
    `<svg xmlns="http://www.w3.org/2000/svg" class="chart" data-chart="${escaped(chart)}" role="img"`,
    ` viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" aria-label="${escaped(title)}">`,
  ]
  return [
    outline.join(''),
    ...(standalone ? [`<style>${standaloneStyle}</style>`] : []),
    arrowHeads(chart),
    ...(standalone ? [`<rect class="paper" width="${width}" height="${height}"/>`] : []),
    ...drawing.states.map((state) => stateBox(state, drawing)),
    ...drawing.arrows.map((arrow) => arrowPath(arrow, chart)),
    ...drawing.arrows.map(labelBox),
    ...drawing.states.map((state) => stateText(state, drawing, counts)),
    '</svg>',
    '',
  ].join('\n')
}

function arrowHeads(chart: string): string {
  return `<defs><marker id="${chart}-head" class="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path d="M0 .8 7.4 4 0 7.2z"/></marker></defs>`
}

function stateBox(state: PlacedState, { states }: Drawing): string {
  const { id, x, y, width, height, kind, tag } = state
  const root = states[0] === state
  const classes = ['state', kind, ...(root ? ['root'] : []), ...(tag === undefined ? [] : [`tag-${tag}`])]
  const place = `x="${x + 0.5}" y="${y + 0.5}" width="${width - 1}" height="${height - 1}"`
  return `<rect class="${classes.join(' ')}" data-state="${escaped(id)}" ${place} rx="${kind === 'atomic' ? 7 : 10}"/>`
}

function stateText(state: PlacedState, { states }: Drawing, counts: boolean): string {
  const { id, key, x, y, width, description, lines } = state
  const isRoot = states[0] === state
  if (isRoot && lines.length === 0) return initialMark(state, states)
  const name = `<text class="name" x="${x + sizes.padding}" y="${y + 19}">${escaped(key)}</text>`
  const told = description === undefined ? '' : `<title>${escaped(description)}</title>`
  const texts = lines.map((line) => lineText(line, x + sizes.padding, y + sizes.head + 9, 'line'))
  const badge = counts
    ? `<text class="count" data-count="${escaped(id)}" x="${x + width - 8}" y="${y + 19}"></text>`
    : ''
  return `<g class="label" data-label="${escaped(id)}">${told}${name}${texts.join('')}${badge}</g>${initialMark(state, states)}`
}

/** A dot in the corner of the state that another one begins with. */
function initialMark(state: PlacedState, states: readonly PlacedState[]): string {
  const initial = states.find(({ id }) => id === state.initial)
  if (initial === undefined) return ''
  const { x, y } = initial
  return `<g class="initial"><circle cx="${x}" cy="${y}" r="4.5"/><title>${escaped(state.key)} begins here</title></g>`
}

function arrowPath({ points, lines, source, target }: PlacedArrow, chart: string): string {
  const edges = lines.flatMap((line) => line.edges).join('\n')
  const ends = `data-source="${escaped(source)}" data-target="${escaped(target)}"`
  const path = roundedPath(points)
  return `<path class="edge" data-edges="${escaped(edges)}" ${ends} d="${path}" marker-end="url(#${chart}-head)"/>`
}

function labelBox({ label, lines }: PlacedArrow): string {
  const { x, y, width, height } = label
  const box = `<rect class="edge-label" x="${x}" y="${y}" width="${width}" height="${height}" rx="3"/>`
  const texts = lines.map((line) => lineText(line, x + 4, y + 13, 'event'))
  return `<g class="label">${box}${texts.join('')}</g>`
}

function lineText({ edges, text, row, column }: ChartLine, x: number, y: number, name: string): string {
  const place = `x="${Math.round(x + column * sizes.lineChar)}" y="${y + row * sizes.line}"`
  return `<text class="${name}" data-edges="${escaped(edges.join('\n'))}" ${place}>${escaped(text)}</text>`
}

const cornerRadius = 6

/** Straight lines with rounded corners. */
function roundedPath(points: PlacedArrow['points']): string {
  const parts = points.map(([x, y], index) => {
    const before = points[index - 1]
    const after = points[index + 1]
    if (before === undefined) return `M${x} ${y}`
    if (after === undefined) return `L${x} ${y}`
    const [fromX, fromY] = towards([x, y], before)
    const [toX, toY] = towards([x, y], after)
    return `L${fromX} ${fromY}Q${x} ${y} ${toX} ${toY}`
  })
  return parts.join('')
}

type Point = readonly [x: number, y: number]

function towards([x, y]: Point, [otherX, otherY]: Point): Point {
  const length = Math.hypot(otherX - x, otherY - y)
  const part = length === 0 ? 0 : Math.min(cornerRadius, length / 2) / length
  const rounded = (value: number) => Math.round(value * 10) / 10
  return [rounded(x + (otherX - x) * part), rounded(y + (otherY - y) * part)]
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.codePointAt(0)};`)
}

const standaloneStyle = `
svg{--paper:#fff;--box:#f7f8fa;--deep:#eef0f4;--line:#8a93a3;--ink:#1c2330;--soft:#596275;--edge:#5b6578}
@media (prefers-color-scheme:dark){svg{--paper:#12161d;--box:#1a2029;--deep:#161b23;--line:#5c6777;--ink:#e6eaf1;--soft:#a3adbd;--edge:#8f9bae}}
.paper{fill:var(--paper)}
.state{fill:var(--deep);stroke:var(--line)}.state.atomic{fill:var(--box)}.state.root{fill:none;stroke:none}.state.parallel{fill:none}
.edge{fill:none;stroke:var(--edge);stroke-width:1.3}.head path{fill:var(--edge)}
.edge-label{fill:var(--paper)}.initial circle{fill:var(--ink)}
text{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:var(--ink)}
.name{font-size:13px;font-weight:600}.line{fill:var(--soft)}
`.replaceAll('\n', '')
