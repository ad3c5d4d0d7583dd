import { afterAll, expect, test } from 'bun:test'
import { coordinatorMachine, slotMachine } from '../../src/actors/mod.ts'
import { chartOf } from '../../src/inspector/chart-model.ts'
import { mermaidOf } from '../../src/inspector/mermaid.ts'
import { cli, Place } from './support.ts'

const place = new Place()
afterAll(() => place[Symbol.dispose]())

test.each([
  [['slot'], slotMachine],
  [['coordinator', '--format', 'mermaid'], coordinatorMachine],
  [[], slotMachine],
] as const)('chart %j prints the machine', async (args, machine) => {
  const { exitCode, stdout, stderr } = await cli(['chart', ...args], { cwd: place.path })
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  expect(stdout).toBe(mermaidOf(chartOf(machine)))
})
