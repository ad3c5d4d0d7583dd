/** The command `chart`. */
import { Argument, type Command, Option } from 'commander'
import * as v from 'valibot'
import { coordinatorMachine, poolMachine, slotMachine } from '../actors/mod.ts'
import { chartOf } from '../inspector/chart-model.ts'
import { mermaidOf } from '../inspector/mermaid.ts'
import { chartSvg } from '../inspector/mod.ts'

const machines = { slot: slotMachine, coordinator: coordinatorMachine, pool: poolMachine } as const

const names = ['slot', 'coordinator', 'pool'] as const

const formats = ['mermaid', 'svg'] as const

export function addChartCommand(program: Command): void {
  program
    .command('chart')
    .summary('draw a state machine')
    .description('Draws one of the state machines, read from the machine itself, on stdout.')
    .addArgument(new Argument('[machine]', 'which one').choices(names).default('slot'))
    .addOption(new Option('--format <format>', 'as what').choices(formats).default('mermaid'))
    .action((given: unknown, options: unknown) => {
      const name = v.parse(v.picklist(names), given)
      const { format } = v.parse(v.object({ format: v.picklist(formats) }), options)
      process.stdout.write(format === 'svg' ? chartSvg(name) : mermaidOf(chartOf(machines[name])))
    })
}
