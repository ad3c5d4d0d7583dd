/**
 * This module beside its peers, against a floor server in a process of its own: throughput, latency, CPU, heap.
 *
 * `bun run bench [--rounds 7] [--warm-ups 4] [--in-flight 1,64,1024,16384] [--only TEXT …] [--markdown]`
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { entries, inFlightCounts, limitName } from './contestants.ts'
import { type Figure, measure, ratiosToLimit, type Spread, spreadOf } from './measure.ts'
import type { Sample } from './sample.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    'warm-ups': { type: 'string', default: '4' },
    'in-flight': { type: 'string', default: inFlightCounts.join(',') },
    only: { type: 'string', multiple: true, default: [''] },
    markdown: { type: 'boolean', default: false },
  },
})
const count = v.pipe(v.number(), v.integer(), v.minValue(1))
const rounds = v.parse(count, Number(values.rounds))
const warmUps = v.parse(count, Number(values['warm-ups']))
const counts = v.parse(v.array(v.picklist(inFlightCounts)), values['in-flight'].split(',').map(Number))
const chosen = entries.filter(
  ({ name }) => name === limitName || values.only.some((text) => isMeant(name, text)),
)

const head = [
  'in flight',
  'client',
  'calls/s',
  '× the limit',
  'p50 ms',
  'p99 ms',
  'CPU µs/call',
  'calls/post',
  'heap kB',
]
const rows: string[][] = []
for (const inFlight of counts) {
  const figures = await measure(chosen, inFlight, rounds, warmUps, (line) => console.error(line))
  rows.push(...figures.map((figure) => rowOf(figures, figure)))
}
console.log(values.markdown ? markdown([head, ...rows]) : plain([head, ...rows]))
console.log(
  `\nMedians (and min–max) of ${rounds} rounds that took turns; ${cpus().length} × ${cpus()[0]?.model.trim()}, Bun ${Bun.version}.`,
)

/** A whole name, or a part of several. */
function isMeant(name: string, text: string): boolean {
  return entries.some((entry) => entry.name === text) ? name === text : name.includes(text)
}

function rowOf(all: readonly Figure[], figure: Figure): string[] {
  const rate = (sample: Sample) => sample.callsPerSecond
  const median = (of: (sample: Sample) => number) => spreadOf(figure.samples.map(of)).median
  return [
    figure.inFlight.toLocaleString('en'),
    figure.name,
    Math.round(median(rate)).toLocaleString('en'),
    range(spreadOf(ratiosToLimit(all, figure, rate))),
    median(({ p50 }) => p50).toFixed(2),
    median(({ p99 }) => p99).toFixed(2),
    range(spreadOf(figure.samples.map(({ cpuPerCall }) => cpuPerCall)), 1),
    figure.callsPerPost.toFixed(1),
    (median(({ heapGrowth }) => heapGrowth) / 1_000).toFixed(0),
  ]
}

function range({ min, median, max }: Spread, digits = 2): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}–${max.toFixed(digits)})`
}

function markdown([first = [], ...rest]: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = first.map((_, column) => (column === 1 ? '---' : '--:'))
  return [first, rule, ...rest].map(line).join('\n')
}

function plain(table: readonly string[][]): string {
  const widths = head.map((_, column) => Math.max(...table.map((cells) => cells[column]?.length ?? 0)))
  const padded = (cells: readonly string[]) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0))
  return table.map((cells) => padded(cells).join('  ').trimEnd()).join('\n')
}
