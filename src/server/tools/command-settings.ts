/** What a command is given beside its text: an environment and a directory. */

import { fstatSync } from 'node:fs'
import { constants } from 'node:os'
import * as v from 'valibot'
import { openBeneath, relativeTo } from '../files/open-beneath.ts'
import { pathError } from '../files/path-error.ts'
import { withoutNul } from './tool.ts'

/** Bash's own, which it lets nobody set. */
const readOnly = new Set(['BASHOPTS', 'BASH_VERSINFO', 'EUID', 'PPID', 'SHELLOPTS', 'UID'])

const variable = v.pipe(
  v.string(),
  v.check(
    (name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !readOnly.has(name),
    ({ input }) => `must not set ${String(input).slice(0, 60)}: no name of a variable that can be set`,
  ),
)

export const environment = v.record(variable, withoutNul, 'must be an object of strings')

export interface CommandSettings {
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
}

/** The command with its settings before it, on its first line: what it says of its lines stays true. */
export function withSettings(command: string, { env = {}, cwd }: CommandSettings): string {
  const settings = Object.entries(env).map(([name, value]) => `export ${name}=${quoted(value)}; `)
  if (cwd !== undefined) settings.unshift(`cd -- ${quoted(cwd)} || exit; `)
  return settings.join('') + command
}

/** For bash, on one line, whatever is in it. */
function quoted(text: string): string {
  return `$'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
}

/** `cwd` from the workspace; throws a PathError when it is no directory of it. */
export function checkedDirectory(workspace: string, cwd: string): string {
  using directory = openBeneath(workspace, cwd, 'look')
  if (!fstatSync(directory.fd).isDirectory()) throw pathError('ENOTDIR', cwd)
  return relativeTo(workspace, cwd)
}

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

/** The signal that a shell means by an exit code above 128, or `null`. */
export function signalOf(exitCode: number): string | null {
  return signalNames.get(exitCode - 128) ?? null
}
