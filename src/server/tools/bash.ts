/** The tool `bash`: one command in a fresh shell, in the workspace. */
import * as v from 'valibot'
import { baseLimits } from '../../protocol/routes.ts'
import type { CommandOutcome } from '../sandbox/run-command.ts'
import { checkedDirectory, environment, signalOf, withSettings } from './command-settings.ts'
import { combinedOutput, headAndTail, isDropped, pythonFloat } from './text.ts'
import {
  defineTool,
  failed,
  flag,
  type ToolResult,
  tellingPathErrors,
  wellFormed,
  withoutNul,
} from './tool.ts'

const bashArgs = v.object({
  command: v.optional(withoutNul, ''),
  // Followed only on a server that was started with the network allowed.
  allow_network: flag(true),
  require_sandbox: flag(false),
  stdin: v.optional(wellFormed),
  env: v.optional(environment),
  cwd: v.optional(withoutNul),
})

export const bash = defineTool(bashArgs, (args, context) =>
  tellingPathErrors(async () => {
    if (args.require_sandbox && context.isolation.kind === 'none') {
      return failed(
        'require_sandbox was asked for, but this server runs without a sandbox (isolation "none")',
      )
    }
    const cwd = args.cwd === undefined ? undefined : checkedDirectory(context.workspace, args.cwd)
    const { timeoutS, onOutput } = context
    const network = args.allow_network && context.network
    const outcome = await context.runCommand({
      command: withSettings(args.command, { env: args.env, cwd }),
      timeoutMs: timeoutS * 1000,
      network,
      stdin: args.stdin,
      onOutput,
    })
    return bashResult(outcome, { sandboxed: context.isolation.kind === 'bubblewrap', network, timeoutS })
  }),
)

/** How a command was run. */
export interface RunKind {
  readonly sandboxed: boolean
  readonly network: boolean
  readonly timeoutS: number
}

/** How the end of a command is told. Pure; exported for its test. */
export function bashResult(outcome: CommandOutcome, { sandboxed, network, timeoutS }: RunKind): ToolResult {
  const { end } = outcome
  const told = { sandboxed, ...outputMetadata(outcome) }
  const max = baseLimits.outputCharacters
  const output = combinedOutput(outcome.stdout.head, outcome.stderr.head, max)
  const ended = (error: string, more: object): ToolResult => {
    return { success: false, output, error, metadata: { ...told, ...more } }
  }
  switch (end.kind) {
    case 'exited': {
      const { exitCode } = end
      const metadata = { exit_code: exitCode, network_isolated: sandboxed && !network, ...told }
      const error = exitCode === 0 ? '' : `Exit code: ${exitCode}`
      return { success: exitCode === 0, output, error, metadata }
    }
    case 'timed-out':
      return ended(`Command timed out after ${pythonFloat(timeoutS)}s`, { exit_code: -1, timeout: true })
    case 'cancelled':
      return ended('Command was cancelled', { cancelled: true })
    case 'stopped':
      return { ...ended('Command was killed: the server stops', {}), code: 'interrupted' }
    case 'broken':
      return { ...ended(`Sandbox broke while the command ran: ${end.reason}`, {}), code: 'interrupted' }
    case 'not-started':
      return { ...failed(`Sandbox failed to start: ${end.reason}`, { sandboxed }), code: 'sandbox_failed' }
  }
}

function outputMetadata({ end, stdout, stderr, durationMs }: CommandOutcome) {
  const max = baseLimits.outputCharacters
  return {
    stdout: headAndTail(stdout, max),
    stderr: headAndTail(stderr, max),
    stdout_bytes: stdout.bytes,
    stderr_bytes: stderr.bytes,
    truncated: isDropped(stdout, max) || isDropped(stderr, max),
    // A shell says with a code above 128 that a signal ended its last command.
    signal: end.kind === 'exited' ? signalOf(end.exitCode) : 'SIGKILL',
    duration: Math.round(durationMs * 1000) / 1e6,
  }
}
