import { expect, test } from 'bun:test'
import { coordinatorMachine, poolMachine, slotMachine } from '../../src/actors/mod.ts'
import { chartOf } from '../../src/inspector/chart-model.ts'
import { mermaidOf } from '../../src/inspector/mermaid.ts'
import { chartNames, chartSvg } from '../../src/inspector/mod.ts'
import { fileAt } from './sources.ts'

const charts = {
  slot: mermaidOf(chartOf(slotMachine)),
  coordinator: mermaidOf(chartOf(coordinatorMachine)),
  pool: mermaidOf(chartOf(poolMachine)),
}

const readme = fileAt('README.md').text

for (const [name, drawn] of Object.entries(charts)) {
  test(`the chart ${name} in README.md is the machine`, () => {
    expect(staleChart(readme, name, drawn)).toBeUndefined()
  })
}

test.each([...chartNames])('the picture of the chart %s in README.md is drawn from the machine', (name) => {
  const path = `src/inspector/charts/${name}.svg`
  // Written by: bun start chart NAME --format svg
  expect(fileAt(path).text).toBe(chartSvg(name))
  expect(readme).toContain(path)
})

test('a chart that is another one, or has no place, is seen', () => {
  const text = '<!-- chart a:start -->\n```mermaid\nx --> y\n```\n<!-- chart a:end -->\n'
  expect(staleChart(text, 'a', 'x --> y\n')).toBeUndefined()
  expect(staleChart(text, 'a', 'x --> z\n')).toBe(
    'The chart a is not the machine: bun start chart a draws it',
  )
  expect(staleChart(text, 'b', 'x --> y\n')).toBe('There is no <!-- chart b:start --> … <!-- chart b:end -->')
})

/** What is wrong with a chart, if something is. */
function staleChart(text: string, name: string, drawn: string): string | undefined {
  const shown = chartIn(text, name)
  if (shown === undefined) return `There is no <!-- chart ${name}:start --> … <!-- chart ${name}:end -->`
  if (shown === `\`\`\`mermaid\n${drawn.trim()}\n\`\`\``) return undefined
  return `The chart ${name} is not the machine: bun start chart ${name} draws it`
}

/** What stands between the marks of a chart; `undefined` without marks. */
function chartIn(text: string, name: string): string | undefined {
  return new RegExp(`<!-- chart ${name}:start -->([\\s\\S]*?)<!-- chart ${name}:end -->`)
    .exec(text)?.[1]
    ?.trim()
}
