/** The tool `bash`: one command in a fresh shell, in the workspace. */
import * as v from 'valibot'
import { baseLimits } from '../../protocol/routes.ts'
import type { Isolation } from '../sandbox/isolation.ts'
import { type CommandOutcome, runCommand } from '../sandbox/run-command.ts'
import { combinedOutput, pythonFloat } from './text.ts'
import { defineTool, failed, flag, type ToolResult, withoutNul } from './tool.ts'

const bashArgs = v.object({
  command: v.optional(withoutNul, ''),
  // Taken and not followed: the network stays closed.
  allow_network: flag(true),
  require_sandbox: flag(false),
})

export const bash = defineTool(bashArgs, async (args, context) => {
  if (args.require_sandbox && context.isolation.kind === 'none') {
    return failed('require_sandbox was asked for, but this server runs without a sandbox (isolation "none")')
  }
  const outcome = await runCommand({
    ...context,
    command: args.command,
    timeoutMs: context.timeoutS * 1000,
    outputCharacters: baseLimits.outputCharacters,
  })
  return bashResult(outcome, context.isolation, context.timeoutS)
})

/** How the end of a command is told. Pure; exported for its test. */
export function bashResult(outcome: CommandOutcome, isolation: Isolation, timeoutS: number): ToolResult {
  const { end } = outcome
  const sandboxed = isolation.kind === 'bubblewrap'
  const output = combinedOutput(outcome.stdout, outcome.stderr, baseLimits.outputCharacters)
  switch (end.kind) {
    case 'exited': {
      const { exitCode } = end
      const metadata = { exit_code: exitCode, sandboxed, network_isolated: sandboxed }
      const error = exitCode === 0 ? '' : `Exit code: ${exitCode}`
      return { success: exitCode === 0, output, error, metadata }
    }
    case 'timed-out': {
      const error = `Command timed out after ${pythonFloat(timeoutS)}s`
      return { success: false, output, error, metadata: { exit_code: -1, timeout: true, sandboxed } }
    }
    case 'stopped':
      return {
        success: false,
        output,
        error: 'Command was killed: the server stops',
        metadata: { sandboxed },
      }
    case 'not-started':
      return failed(`Sandbox failed to start: ${end.reason}`, { sandboxed })
  }
}
