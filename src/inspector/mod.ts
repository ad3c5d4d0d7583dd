/**
 * `sandbox-slots/inspector`: live state charts. Runs on Bun.
 *
 * @module
 */
export { type ChartName, chartNames, chartSvg } from './charts.ts'
export type { InspectorPage } from './serve-source.ts'
export {
  type Inspector,
  type InspectorOptions,
  openTrace,
  type PageOptions,
  startInspector,
} from './start-inspector.ts'
