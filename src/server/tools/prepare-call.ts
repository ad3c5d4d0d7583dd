/** The tools of this server, by name. */
import { wrongArgumentOf } from '../../protocol/tools.ts'
import { bash } from './bash.ts'
import { bashStateful } from './bash-stateful.ts'
import { readFile, writeFile } from './files.ts'
import { tmux } from './tmux.ts'
import type { Checked, PreparedCall, Tool } from './tool.ts'

const tools: ReadonlyMap<string, Tool> = new Map([
  ['bash', bash],
  ['bash_stateful', bashStateful],
  ['read_file', readFile],
  ['write_file', writeFile],
  ['tmux', tmux],
])

export const toolNames: ReadonlySet<string> = new Set(tools.keys())

/**
 * A call whose arguments are right; `undefined`: there is no such tool. Base clients may leave arguments out and add some,
 * since base servers let them: without its `command` a `bash` call runs nothing and succeeds. Extended ones are told.
 */
export function prepareCall(
  tool: string,
  args: Readonly<Record<string, unknown>>,
  protocol: 'base' | 'extended',
): Checked<PreparedCall> | undefined {
  const wrong = protocol === 'extended' ? wrongArgumentOf(tool, args) : undefined
  if (wrong !== undefined) return { ok: false, error: `args.${wrong.name} ${wrong.problem}` }
  return tools.get(tool)?.prepare(args)
}
