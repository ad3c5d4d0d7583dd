/** The sandbox server in this process, and what to say when it cannot start. */
import { SandboxError, SandboxUsageError } from '../errors.ts'
import {
  type LogEntry,
  type SandboxServer,
  type SandboxServerOptions,
  startSandboxServer,
} from '../server/mod.ts'
import { CommandFailure } from './failure.ts'
import type { IsolationOption } from './option-values.ts'
import { tokenVariable } from './token.ts'

export interface EmbeddedOptions {
  readonly slots: number
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly dataDir?: string | undefined
  readonly isolation?: IsolationOption | undefined
  readonly network?: boolean | undefined
  readonly token?: string | undefined
  readonly onLog?: ((entry: LogEntry) => void) | undefined
}

/** Starts the server, or ends the command with one sentence. */
export async function startServer(options: EmbeddedOptions): Promise<SandboxServer> {
  try {
    return await startSandboxServer(serverOptions(options))
  } catch (thrown) {
    throw startFailure(thrown)
  }
}

/** As {@link startServer}; without bubblewrap, and unless it was asked for, it warns and starts without a sandbox. */
export async function startServerAnyway(
  options: EmbeddedOptions,
  warn: (line: string) => void,
): Promise<SandboxServer> {
  try {
    return await startSandboxServer(serverOptions(options))
  } catch (thrown) {
    if (!isWithoutIsolation(thrown) || options.isolation !== undefined) throw startFailure(thrown)
    warn(
      `Warning: ${troubleOf(thrown)}. The commands of this small job of our own run without a sandbox, as plain ` +
        'processes of yours. Other jobs need bubblewrap: install it with `apt-get install bubblewrap`.',
    )
    return await startServer({ ...options, isolation: 'none' })
  }
}

function serverOptions(options: EmbeddedOptions): SandboxServerOptions {
  const { slots, host, port, dataDir, isolation, network, token, onLog } = options
  return {
    slots,
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(isolation === undefined ? {} : { isolation }),
    ...(network === undefined ? {} : { network }),
    ...(token === undefined ? {} : { token }),
    ...(onLog === undefined ? {} : { onLog }),
  }
}

function isWithoutIsolation(thrown: unknown): thrown is SandboxError {
  return thrown instanceof SandboxError && thrown.code === 'isolation'
}

function startFailure(thrown: unknown): unknown {
  if (isWithoutIsolation(thrown)) {
    return new CommandFailure(
      `Cannot start the sandbox server: ${troubleOf(thrown)}; install it with \`apt-get install bubblewrap\`, or give ` +
        '--isolation none to run commands without a sandbox',
    )
  }
  if (thrown instanceof SandboxUsageError || (thrown instanceof SandboxError && thrown.code === 'server')) {
    const way = thrown.message.includes('needs a token')
      ? `; give one with --token-file <file> or the environment variable ${tokenVariable}`
      : ''
    return new CommandFailure(`Cannot start the sandbox server: ${thrown.message}${way}`)
  }
  return thrown
}

/** What is wrong, without the library's own advice. */
function troubleOf(error: SandboxError): string {
  return error.message.split(': install it')[0] ?? error.message
}
