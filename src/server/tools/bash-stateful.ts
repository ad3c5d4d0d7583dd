/** The tool `bash_stateful`: one command in the slot's long-lived shell. */
import * as v from 'valibot'
import { StatefulShell } from '../stateful/stateful-shell.ts'
import { bashResult } from './bash.ts'
import { defineTool, failed, flag, type ToolResult, withoutNul } from './tool.ts'

const bashStatefulArgs = v.object({
  command: v.optional(withoutNul, ''),
  // Followed only on a server that was started with the network allowed.
  allow_network: flag(true),
  require_stateful_sandbox: flag(false),
})

export const bashStateful = defineTool(bashStatefulArgs, async (args, context): Promise<ToolResult> => {
  const { isolation, workspace, owner = null, timeoutS, signals } = context
  if (args.require_stateful_sandbox && isolation.kind === 'none') {
    return failed(
      'require_stateful_sandbox was asked for, but this server runs without a sandbox (isolation "none")',
    )
  }
  const shell = context.sessions.of(StatefulShell, () => new StatefulShell(isolation, { workspace, owner }))
  const wanted = args.allow_network && context.network
  // A shell that was made without the network stays so, and the result tells.
  const network = shell.network ?? wanted
  if (network && !wanted) {
    return failed(
      'allow_network false was asked for, but the shell of this slot has the network: reset the slot first',
    )
  }
  const outcome = await shell.run({ command: args.command, timeoutMs: timeoutS * 1000, network }, signals)
  const sandboxed = isolation.kind === 'bubblewrap'
  const result = bashResult(outcome, { sandboxed, network, timeoutS })
  const isEnded = outcome.end.kind === 'timed-out' || outcome.end.kind === 'cancelled'
  return {
    ...result,
    error: isEnded && outcome.isLost ? `${result.error}; ${stateLost}` : result.error,
    metadata: {
      ...result.metadata,
      ...(isEnded && !outcome.isLost ? { signal: 'SIGINT' } : {}),
      stateful: true,
      ...(outcome.isRestarted ? { shell_restarted: true } : {}),
      ...(outcome.isLost ? { state_lost: true } : {}),
    },
  }
})

const stateLost = 'the shell did not stop and was killed: its state is lost'
