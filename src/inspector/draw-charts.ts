/** Floor 3: makes `charts.generated.ts` from the machines. Needs elkjs, which is there for development only. */
import type { AnyStateMachine } from 'xstate'
import { coordinatorMachine } from '../actors/coordinator.machine.ts'
import { poolMachine } from '../actors/pool.machine.ts'
import { slotMachine } from '../actors/slot.machine.ts'
import { drawingOf } from './chart-layout.ts'
import { chartOf } from './chart-model.ts'

/** Every machine that is drawn. */
export const machines: Readonly<Record<string, AnyStateMachine>> = {
  slot: slotMachine,
  coordinator: coordinatorMachine,
  pool: poolMachine,
}

/** The text of `charts.generated.ts`. */
export async function generatedCharts(): Promise<string> {
  const entries: string[] = []
  for (const [name, machine] of Object.entries(machines)) {
    entries.push(`  ${name}: ${literal(await drawingOf(chartOf(machine)))},`)
  }
  return [
    '/** Floor 3: where the parts of the charts are. Made by `bun src/inspector/generate.ts`; a test compares. */',
    "import type { Drawing } from './drawing.ts'",
    '',
    '// biome-ignore format: data',
    'export const drawings = {',
    ...entries,
    '} as const satisfies Readonly<Record<string, Drawing>>',
    '',
  ].join('\n')
}

/** JSON with one state, arrow or way a line, so that differences can be read. */
function literal(value: object): string {
  const fields = Object.entries(value).map(([key, field]: [string, unknown]) => {
    if (!Array.isArray(field)) return `    ${key}: ${JSON.stringify(field)},`
    const items = field.map((item: unknown) => `      ${JSON.stringify(item)},`)
    return [`    ${key}: [`, ...items, '    ],'].join('\n')
  })
  return ['{', ...fields, '  }'].join('\n')
}
