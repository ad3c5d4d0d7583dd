/** Floor 3: every chart there is, with its drawing. Browser compatible. */

import { svgOf } from './chart-svg.ts'
import { drawings } from './charts.generated.ts'
import type { Drawing } from './drawing.ts'

/** A machine of this module. */
export type ChartName = keyof typeof drawings

/** The names of those that the README shows. */
export const chartNames: readonly ChartName[] = ['slot', 'coordinator']

/** All drawings, in the order in which the page shows them. */
export const charts: readonly Drawing[] = Object.values(drawings)

/**
 * A chart as the text of an SVG file, for light and dark.
 *
 * @example
 * ```ts
 * import { chartSvg } from 'sandbox-slots/inspector'
 * console.log(chartSvg('slot'))
 * ```
 */
export function chartSvg(name: ChartName): string {
  return svgOf(drawings[name], { standalone: true })
}
