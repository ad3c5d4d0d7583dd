/** What a sandbox sees, as an argument list for bubblewrap. Pure: everything that is measured comes in. */

import { dirname } from 'node:path'
import { mountedEtc } from './etc.ts'

/** A top-level directory like `/bin`: on most systems a symlink into `/usr`. */
export interface SystemDirectory {
  readonly path: string
  /** Where the symlink leads, or `null` when it is a directory of its own. */
  readonly linkTarget: string | null
}

export interface BwrapSetup {
  readonly systemDirectories: readonly SystemDirectory[]
  /** Becomes `/etc`. */
  readonly etcDir: string
  readonly workspace: string
  /** Size of `/tmp`, and of `/dev/shm`. */
  readonly tmpBytes: number
  /** Whether the sandbox shares the machine's network. */
  readonly network: boolean
  /** Where bubblewrap reads the filter of system calls, or `null` without one. */
  readonly seccompFd: number | null
}

/**
 * The whole environment of a tool call.
 *
 * HOME is the workspace: the one place that lasts from call to call, so `git config --global` does too.
 */
export const sandboxEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/workspace',
  USER: 'sandbox',
  LOGNAME: 'sandbox',
  SHELL: '/bin/bash',
  LANG: 'C.UTF-8',
  TERM: 'dumb',
  TMPDIR: '/tmp',
}

/**
 * Of /proc, what sets the kernel, and is written to by whoever is root outside, without a capability: read-only. A sandbox
 * of root has that user where root cannot change to others.
 */
export const closedProc = ['sys', 'irq', 'bus', 'fs', 'acpi', 'scsi', 'mtrr', 'sysrq-trigger']

/** The arguments after `bwrap` and before the command. */
export function bwrapArgs(setup: BwrapSetup): string[] {
  const tmpBytes = String(setup.tmpBytes)
  return [
    ...beginning(setup, '1000'),
    ...['--perms', '1777', '--size', tmpBytes, '--tmpfs', '/tmp'],
    ...['--perms', '1777', '--size', tmpBytes, '--tmpfs', '/dev/shm'],
    ...['--bind', setup.workspace, '/workspace', '--chdir', '/workspace'],
    ...ending,
    // No --info-fd: bubblewrap would die of it in the middle of its set-up when the server has died, and leave a process.
    ...(setup.seccompFd === null ? [] : ['--seccomp', String(setup.seccompFd)]),
  ]
}

/**
 * The same for the sandbox in which inner sandboxes are made: at /tmp is the directory of the workspaces, which no inner
 * one keeps, and its first process may make namespaces and mounts.
 */
export function outerArgs(setup: BwrapSetup): string[] {
  return [
    ...beginning(setup, '0'),
    ...['--cap-add', 'CAP_NET_ADMIN', '--cap-add', 'CAP_SYS_ADMIN', '--cap-add', 'CAP_SETFCAP'],
    ...['--bind', dirname(setup.workspace), '/tmp', '--dir', '/workspace', '--chdir', '/workspace'],
    ...ending,
    ...['--setenv', 'LD_BIND_NOW', '1', '--setenv', 'LC_ALL', 'C'],
  ]
}

function beginning(setup: BwrapSetup, user: string): string[] {
  return [
    ...['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup'],
    ...(setup.network ? [] : ['--unshare-net']),
    // Without bubblewrap's own first process: that one lives on when the command has ended, and its monitor does not
    // wait for it. Here the monitor ends when the first process has, and with it, by the kernel, all others.
    '--as-pid-1',
    ...['--cap-drop', 'ALL', '--uid', user, '--gid', user, '--hostname', 'sandbox', '--die-with-parent'],
    ...['--ro-bind', '/usr', '/usr'],
    ...setup.systemDirectories.flatMap(systemDirectoryArgs),
    ...['--ro-bind', setup.etcDir, '/etc'],
    ...mountedEtc.flatMap((path) => ['--ro-bind-try', `/etc/${path}`, `/etc/${path}`]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...closedProc.flatMap((name) => ['--ro-bind-try', `/proc/${name}`, `/proc/${name}`]),
  ]
}

const ending = [
  // bubblewrap's own root and /dev are tmpfs that could be written to, without a size.
  ...['--remount-ro', '/', '--remount-ro', '/dev'],
  '--clearenv',
  ...Object.entries(sandboxEnvironment).flatMap(([name, value]) => ['--setenv', name, value]),
]

function systemDirectoryArgs({ path, linkTarget }: SystemDirectory): string[] {
  return linkTarget === null ? ['--ro-bind', path, path] : ['--symlink', linkTarget, path]
}
