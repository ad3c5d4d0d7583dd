/** The command line that becomes a shell waiting for its command. Pure. */
import { basename } from 'node:path'
import type { Owner } from '../files/open-directory.ts'
import { type BwrapSetup, bwrapArgs, closedProc, outerArgs } from './bwrap-args.ts'
import { holderCalls, holderProgram } from './holder-program.ts'
import { firstProcess, limitsWord, type ProcessLimits, shellScript } from './inside.ts'
import type { Bubblewrap, Isolation } from './isolation.ts'

/** Where a shell finds its filter; 3 is the command's. */
export const SECCOMP_FD = 4

/** Where a shell runs, and as whom. */
export interface Place {
  readonly workspace: string
  /** The user that a sandbox becomes before it is made, or `null`: the server's. */
  readonly owner: Owner | null
}

/** What to spawn; `user` is who spawns it, when that is not the server's user. */
export interface CommandLine {
  readonly argv: readonly string[]
  readonly user: Owner | null
}

/** What the shell runs first, in a sandbox with these limits, or without one. */
export type Script = (limits: ProcessLimits | null) => string

export function commandLine(
  isolation: Isolation,
  place: Place,
  network: boolean,
  script: Script = shellScript,
): CommandLine {
  if (isolation.kind === 'none') return { argv: ['bash', '-c', script(null)], user: null }
  const program = [...firstProcess, script(isolation.limits)]
  return inSandbox(isolation, place, (setup) => [...bwrapArgs({ ...setup, network }), ...program])
}

/** The command line that becomes the holder of a slot's inner sandboxes. */
export function holderLine(isolation: Bubblewrap, place: Place, script: Script = shellScript): CommandLine {
  const { limits } = isolation
  const numbers = Object.entries(holderCalls[process.arch] ?? {})
    .flat()
    .map(String)
  const closed = closedProc.join(' ')
  const words = [
    basename(place.workspace),
    String(limits.tmpBytes),
    closed,
    limitsWord(limits),
    script(limits),
    ...numbers,
  ]
  return inSandbox(isolation, place, (setup) => [...outerArgs(setup), 'perl', '-we', holderProgram, ...words])
}

function inSandbox(
  isolation: Bubblewrap,
  { workspace, owner }: Place,
  args: (setup: BwrapSetup) => readonly string[],
): CommandLine {
  const hidden = owner === null ? null : isolation.hiddenDataDir
  const seen = (path: string) => (hidden === null ? path : path.replace(hidden, ALIAS))
  const { bwrapPath, systemDirectories, limits, seccompFile } = isolation
  const inner = [
    bwrapPath,
    ...args({
      systemDirectories,
      etcDir: seen(isolation.etcDir),
      workspace: seen(workspace),
      tmpBytes: limits.tmpBytes,
      network: false,
      seccompFd: seccompFile === null ? null : SECCOMP_FD,
    }),
  ]
  if (owner === null || hidden === null) return { argv: inner, user: owner }
  return { argv: [...aliasLine(hidden, owner), ...inner], user: null }
}

/** Where a data directory that the slots' users cannot reach is seen by the bubblewrap that makes the sandbox. */
const ALIAS = '/tmp'

/**
 * A view of the machine with the data directory at a place that everybody can reach; then the user is changed. Each
 * program becomes the next, so that the server is the parent of the last one: another bubblewrap in between would have
 * no right to kill it when the server dies.
 */
function aliasLine(dataDir: string, { uid, gid }: Owner): string[] {
  const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
  return [
    ...['unshare', '--mount', 'sh', '-c', script, 'sh', dataDir, ALIAS],
    ...['setpriv', '--reuid', String(uid), '--regid', String(gid), '--clear-groups'],
  ]
}
