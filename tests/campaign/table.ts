/** What the campaign has found, as a table for a terminal or for the README. */
import type { Findings } from './check.ts'

export interface Line {
  readonly row: string
  readonly promise: string
  readonly check: string
  readonly findings: Findings
  readonly verdict: 'pass' | 'FAIL' | 'skip'
  readonly seconds: number
}

const headings = ['row', 'promise', 'what was done', 'found', 'asked', '', 's']

function cells({ row, promise, check, findings, verdict, seconds }: Line): string[] {
  return [
    row,
    promise,
    `${check}: ${findings.done}`,
    findings.figures.map(({ what, found }) => `${found} ${what}`).join('\n'),
    findings.figures.map(({ asked }) => asked).join('\n'),
    verdict,
    seconds.toFixed(1),
  ]
}

export function markdownTable(lines: readonly Line[]): string {
  const row = (texts: readonly string[]) =>
    `| ${texts.map((text) => text.replaceAll('|', '\\|').replaceAll('\n', '<br>')).join(' | ')} |\n`
  return row(headings) + row(headings.map(() => '---')) + lines.map((line) => row(cells(line))).join('')
}

/** How wide each column is in a terminal. */
const widths = [4, 24, 48, 46, 10, 4, 6]

export function textTable(lines: readonly Line[]): string {
  const rule = widths.map((width) => '─'.repeat(width)).join('─')
  return [headings, ...lines.map(cells)].map((texts) => `${block(texts)}${rule}\n`).join('')
}

/** The texts side by side, each broken at its column's width. */
function block(texts: readonly string[]): string {
  // What was found stands beside what was asked of it: both columns break at the same figures.
  const [found = '', asked = ''] = [texts[3], texts[4]]
  const askedOf = asked.split('\n')
  const pairs = found.split('\n').flatMap((text, at) => {
    return broken(text, widths[3] ?? 0).map((line, part) => [line, part === 0 ? (askedOf[at] ?? '') : ''])
  })
  const columns = texts.map((text, at) => {
    if (at === 3) return pairs.map(([line = '']) => line)
    return at === 4 ? pairs.map(([, line = '']) => line) : broken(text, widths[at] ?? 0)
  })
  const height = Math.max(...columns.map(({ length }) => length))
  return Array.from({ length: height }, (_, line) =>
    columns.map((column, at) => (column[line] ?? '').padEnd(widths[at] ?? 0)).join(' '),
  )
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

function broken(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}
