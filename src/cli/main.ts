#!/usr/bin/env bun
/** The command line. */
import { Command, CommanderError } from 'commander'
import { version } from '../../package.json'
import { describeThrown } from '../errors.ts'
import { addChartCommand } from './chart.ts'
import { isDebugging } from './debugging.ts'
import { CommandFailure, exitCodes } from './failure.ts'
import { addHealthCommand } from './health.ts'
import { addInspectCommand } from './inspect.ts'
import { addRunCommand } from './run.ts'
import { addServeCommand } from './serve.ts'

const program = new Command('sandbox-slots')
  .description(
    'Runs tool calls of AI agents in isolated slots. Without a command: a small job that shows it.',
  )
  .version(version)
  .exitOverride()

addRunCommand(program)
addServeCommand(program)
addHealthCommand(program)
addChartCommand(program)
addInspectCommand(program)

try {
  await program.parseAsync()
} catch (thrown) {
  process.exitCode = exitCodeOf(thrown)
}

/** Prints what the user must know of a failure: one sentence. */
function exitCodeOf(thrown: unknown): number {
  // Commander has printed its own.
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.allRan : exitCodes.wrongUsage
  if (thrown instanceof CommandFailure) {
    console.error(`error: ${thrown.message}`)
    return thrown.exitCode
  }
  console.error(`error: unexpected, please report it: ${describeThrown(thrown)}`)
  if (isDebugging()) console.error(thrown)
  return exitCodes.notAllRan
}
