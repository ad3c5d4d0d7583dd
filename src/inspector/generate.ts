#!/usr/bin/env bun
/** Writes `charts.generated.ts`: run it when a machine has changed. */
import { generatedCharts } from './draw-charts.ts'

const file = new URL('charts.generated.ts', import.meta.url)
await Bun.write(file, await generatedCharts())
// elkjs has made itself a worker's end, and would wait for messages for ever.
globalThis.onmessage = null
