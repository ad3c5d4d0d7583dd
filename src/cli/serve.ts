/** The command `serve`. */
import { type Command, Option } from 'commander'
import * as v from 'valibot'
import type { LogEntry, SandboxServer } from '../server/mod.ts'
import { startServer } from './embedded-server.ts'
import { exitCodes } from './failure.ts'
import { listenForSignals, untilInterrupted } from './interruption.ts'
import {
  dataDirOption,
  isolationOption,
  isolations,
  notEmpty,
  slotsOption,
  wholeNumber,
} from './option-values.ts'
import { readToken, tokenFileOption } from './token.ts'

const logLevels = ['debug', 'info', 'warn', 'error', 'off'] as const

type LogThreshold = (typeof logLevels)[number]

const serveOptions = v.strictObject({
  slots: v.number(),
  host: v.string(),
  port: v.number(),
  dataDir: v.optional(v.string()),
  isolation: v.optional(v.picklist(isolations)),
  network: v.optional(v.boolean(), false),
  tokenFile: v.optional(v.string()),
  drainTimeout: v.number(),
  logLevel: v.picklist(logLevels),
})

export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .summary('start a sandbox server')
    .description(
      'Starts a sandbox server; its URL is the first line on stdout. Ctrl-C or SIGTERM stops it: new calls are refused, ' +
        'what runs has --drain-timeout to end, then it is killed. A second one kills at once.',
    )
    .addOption(slotsOption('how many slots').default(8))
    .addOption(
      new Option('--host <address>', 'the address to listen on; one that is not loopback needs a token')
        .default('127.0.0.1')
        .argParser(notEmpty),
    )
    .addOption(
      new Option('--port <n>', 'the TCP port; 0 takes any free one')
        .default(0)
        .argParser(wholeNumber(0, 65_535)),
    )
    .addOption(dataDirOption())
    .addOption(isolationOption())
    .option('--network', 'let commands that say allow_network use the network; needs a token')
    .addOption(tokenFileOption('a file with the token that every request must show'))
    .addOption(
      new Option('--drain-timeout <seconds>', 'how long the calls that run may go on when it stops')
        .default(5)
        .argParser(wholeNumber(0, 86_400)),
    )
    .addOption(
      new Option('--log-level <level>', 'which entries of the log are printed on stderr, as lines of JSON')
        .choices(logLevels)
        .default('info'),
    )
    .action(async (options: unknown) => {
      process.exitCode = await serve(v.parse(serveOptions, options))
    })
}

async function serve(options: v.InferOutput<typeof serveOptions>): Promise<number> {
  let server: SandboxServer | undefined
  using interruption = listenForSignals({ onSecond: () => void server?.stop() })
  const { tokenFile, drainTimeout, logLevel, ...wanted } = options
  server = await startServer({ ...wanted, token: await readToken(tokenFile), onLog: logTo(logLevel) })
  console.log(server.url)
  await untilInterrupted(interruption)
  await server.stop({ drainTimeoutMs: drainTimeout * 1_000 })
  // Stopping it is how a server ends well.
  return exitCodes.allRan
}

/** Prints entries of this level, and of those that matter more. */
function logTo(threshold: LogThreshold): (entry: LogEntry) => void {
  const least = logLevels.indexOf(threshold)
  return ({ time, level, event, fields }) => {
    if (logLevels.indexOf(level) >= least) console.error(JSON.stringify({ time, level, event, ...fields }))
  }
}
