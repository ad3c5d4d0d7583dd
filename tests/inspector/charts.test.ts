/** The drawings are of the machines as they are, and can be read. */
import { describe, expect, test } from 'bun:test'
import { chartOf } from '../../src/inspector/chart-model.ts'
import { svgOf } from '../../src/inspector/chart-svg.ts'
import { chartNames, charts } from '../../src/inspector/charts.ts'
import { generatedCharts, machines } from '../../src/inspector/draw-charts.ts'
import type { Box } from '../../src/inspector/drawing.ts'

test('charts.generated.ts is what the machines give (else: bun src/inspector/generate.ts)', async () => {
  const file = new URL('../../src/inspector/charts.generated.ts', import.meta.url)
  expect(await Bun.file(file).text()).toBe(await generatedCharts())
  // elkjs has made itself a worker's end, and would keep the process.
  globalThis.onmessage = null
})

test('every machine is drawn', () => {
  expect(Object.keys(machines)).toEqual(charts.map(({ chart }) => chart))
  for (const name of chartNames) expect(machines).toHaveProperty(name)
})

describe.each(charts)('the chart of $chart', (drawing) => {
  const { states, arrows, ways, chart } = drawing

  test('each transition of the machine is a text in it', () => {
    const machine = machines[chart]
    if (machine === undefined) throw new Error(`No machine ${chart}`)
    expect(ways.length).toBe(chartOf(machine).transitions.length)
    const drawn = new Set([...arrows, ...states].flatMap(({ lines }) => lines.flatMap(({ edges }) => edges)))
    expect(ways.filter(({ edge }) => !drawn.has(edge))).toEqual([])
  })

  test('no two labels meet, no label lies on a state that it does not belong to', () => {
    const labels = arrows.map(({ label }) => label)
    const leaves = states.filter(({ kind }) => kind === 'atomic')
    const boxes = [...labels, ...leaves]
    const meeting = boxes.flatMap((one, index) =>
      boxes.slice(index + 1).flatMap((other) => (meet(one, other) ? [{ one, other }] : [])),
    )
    expect(meeting).toEqual([])
  })

  test('nothing is outside of the picture, and no box outside of the one around it', () => {
    const all: Box = { x: 0, y: 0, width: drawing.width, height: drawing.height }
    for (const { label } of arrows) expect(isInside(label, all)).toBe(true)
    for (const state of states) {
      const around = states.find(({ id }) => id === state.id.slice(0, state.id.lastIndexOf('.'))) ?? all
      expect(isInside(state, around)).toBe(true)
    }
  })

  test('as SVG it is one well-formed document that loads nothing', () => {
    const svg = svgOf(drawing, { standalone: true })
    const open: string[] = []
    for (const [, close, name = '', self] of svg.matchAll(/<(\/?)([a-z]+)[^>]*?(\/?)>/g)) {
      if (close) expect(open.pop()).toBe(name)
      else if (!self) open.push(name)
    }
    expect(open).toEqual([])
    expect(svg).toContain('prefers-color-scheme')
    expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|href/)
  })
})

function meet(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  )
}

function isInside(inner: Box, outer: Box): boolean {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  )
}
