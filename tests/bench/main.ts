/**
 * Calls per second and CPU per call, of this module and of plain `fetch`, against a floor server in its own process.
 *
 * `bun tests/bench/main.ts [--rounds N] [--markdown]`
 */
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { type Figure, measure, ratioToLimit, type Sample, type Spread, spreadOf } from './measure.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '7' },
    markdown: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
if (!Number.isSafeInteger(rounds) || rounds < 1) throw new RangeError('--rounds takes a whole number from 1')

const figures = await measure(rounds, (line) => console.error(line))
const head = [
  'in flight',
  'client',
  'calls/s (min–max)',
  'of the limit',
  'CPU µs/call (min–max)',
  'of the limit',
  'calls/post',
]
const rows = figures.map((figure) => rowOf(figures, figure))
console.log(values.markdown ? markdown([head, ...rows]) : plain([head, ...rows]))
console.log(
  `\nMedian of ${rounds} rounds that took turns; ${cpus().length} × ${cpus()[0]?.model.trim()}, Bun ${Bun.version}.`,
)

function rowOf(all: readonly Figure[], figure: Figure): string[] {
  const rate = (sample: Sample) => sample.callsPerSecond
  const cpu = (sample: Sample) => sample.cpuMicrosPerCall
  const perPost = spreadOf(figure.samples.map((sample) => sample.callsPerPost)).median
  return [
    figure.inFlight.toLocaleString('en'),
    figure.name,
    shown(spreadOf(figure.samples.map(rate)), 0),
    ratioToLimit(all, figure, rate).toFixed(2),
    shown(spreadOf(figure.samples.map(cpu)), 1),
    ratioToLimit(all, figure, cpu).toFixed(1),
    perPost.toFixed(1),
  ]
}

function shown({ min, median, max }: Spread, digits: number): string {
  const [low, middle, high] = [min, median, max].map((value) =>
    value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits }),
  )
  return `${middle} (${low}–${high})`
}

function markdown([first = [], ...rest]: readonly string[][]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = first.map((_, column) => (column === 1 ? '---' : '--:'))
  return [first, rule, ...rest].map(line).join('\n')
}

function plain(table: readonly string[][]): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((cells) => cells[column]?.length ?? 0)),
  )
  return table
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
