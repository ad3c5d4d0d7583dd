/** Floor 3: a chart with places: what `charts.generated.ts` holds and `chart-svg.ts` draws. Browser compatible. */
import type { ChartStateKind } from './chart-model.ts'

/** A text of a chart; it lights up with its edges. */
export interface ChartLine {
  /** As a recording names them. */
  readonly edges: readonly string[]
  readonly text: string
  /** Where it stands among the others, in lines and characters. */
  readonly row: number
  readonly column: number
}

export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface PlacedState extends Box {
  readonly id: string
  readonly key: string
  readonly kind: ChartStateKind
  readonly initial?: string
  /** What the actor shows in it: its tag, or that of a state around it. */
  readonly tag?: string
  readonly description?: string
  /** What happens in it, and the ways that lead out of the state around it. */
  readonly lines: readonly ChartLine[]
}

/** All ways from one state to a neighbour. */
export interface PlacedArrow {
  readonly source: string
  readonly target: string
  readonly lines: readonly ChartLine[]
  readonly points: readonly (readonly [x: number, y: number])[]
  readonly label: Box
}

/** One transition in words. */
export interface Way {
  readonly edge: string
  readonly source: string
  readonly targets: readonly string[]
  readonly event: string
  readonly guard?: string
  readonly actions: readonly string[]
}

export interface Drawing {
  readonly chart: string
  readonly width: number
  readonly height: number
  /** From the outside in; the first is the chart itself. */
  readonly states: readonly PlacedState[]
  readonly arrows: readonly PlacedArrow[]
  /** All transitions, in the machine's order. */
  readonly ways: readonly Way[]
}

/** In pixels. Texts are set in a monospaced font, so that their widths are known without a browser. */
export const sizes = {
  nameChar: 7.9,
  lineChar: 6.65,
  line: 15,
  head: 28,
  foot: 7,
  padding: 10,
  /** Room for a count beside the name. */
  badge: 40,
} as const

/** How large the texts are together. */
export function extentOf(lines: readonly ChartLine[]): { width: number; height: number } {
  const columns = Math.max(0, ...lines.map(({ column, text }) => column + text.length))
  const rows = Math.max(0, ...lines.map(({ row }) => row + 1))
  return { width: Math.ceil(columns * sizes.lineChar), height: rows * sizes.line }
}
