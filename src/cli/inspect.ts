/** The command `inspect`. */
import { type Command, Option } from 'commander'
import * as v from 'valibot'
import { SandboxError } from '../errors.ts'
import { type InspectorPage, openTrace } from '../inspector/mod.ts'
import { CommandFailure, exitCodes } from './failure.ts'
import { listenForSignals, untilInterrupted } from './interruption.ts'
import { wholeNumber } from './option-values.ts'

export function addInspectCommand(program: Command): void {
  program
    .command('inspect')
    .summary('look at a recorded trace')
    .description('Opens a trace that the page of `run --inspect` exported. Ctrl-C ends it.')
    .argument('<trace.jsonl>', 'the trace')
    .addOption(
      new Option('--port <n>', 'the TCP port of the page; 0 takes any free one')
        .default(0)
        .argParser(wholeNumber(0, 65_535)),
    )
    .action(async (file: unknown, options: unknown) => {
      const { port } = v.parse(v.object({ port: v.number() }), options)
      process.exitCode = await inspect(v.parse(v.string(), file), port)
    })
}

async function inspect(file: string, port: number): Promise<number> {
  using interruption = listenForSignals()
  await using page = await opened(file, port)
  console.log(page.url)
  await untilInterrupted(interruption)
  return exitCodes.allRan
}

async function opened(file: string, port: number): Promise<InspectorPage> {
  try {
    return await openTrace(file, { port })
  } catch (thrown) {
    if (thrown instanceof SandboxError) throw new CommandFailure(thrown.message)
    throw thrown
  }
}
