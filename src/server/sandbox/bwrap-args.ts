/** What a sandbox sees, as an argument list for bubblewrap. Pure: everything that is measured comes in. */

/** A top-level directory like `/bin`: on most systems a symlink into `/usr`. */
export interface SystemDirectory {
  readonly path: string
  /** Where the symlink leads, or `null` when it is a directory of its own. */
  readonly linkTarget: string | null
}

export interface BwrapSetup {
  readonly systemDirectories: readonly SystemDirectory[]
  /** Holds generated `passwd`, `group` and `hosts`. */
  readonly etcDir: string
  readonly workspace: string
  /** Size of `/tmp`, and of `/dev/shm`. */
  readonly tmpBytes: number
  /** Where bubblewrap tells its child's pid, and the exit code when the sandbox had been set up. */
  readonly statusFd: number
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

/** Files that programs need from /etc; never all of it (shadow, keys, host names). */
const etcFiles = [
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/alternatives',
  '/etc/localtime',
  '/etc/timezone',
  '/etc/mime.types',
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/ca-certificates',
]

const generatedEtcFiles = ['passwd', 'group', 'hosts']

/** The arguments after `bwrap` and before the command. */
export function bwrapArgs(setup: BwrapSetup): string[] {
  const tmpBytes = String(setup.tmpBytes)
  return [
    ...[
      '--unshare-user',
      '--unshare-pid',
      '--unshare-ipc',
      '--unshare-uts',
      '--unshare-cgroup',
      '--unshare-net',
    ],
    ...['--cap-drop', 'ALL', '--uid', '1000', '--gid', '1000', '--hostname', 'sandbox', '--die-with-parent'],
    ...['--ro-bind', '/usr', '/usr'],
    ...setup.systemDirectories.flatMap(systemDirectoryArgs),
    ...['--perms', '0755', '--dir', '/etc'],
    ...etcFiles.flatMap((path) => ['--ro-bind-try', path, path]),
    ...generatedEtcFiles.flatMap((name) => ['--ro-bind', `${setup.etcDir}/${name}`, `/etc/${name}`]),
    ...['--proc', '/proc', '--dev', '/dev'],
    ...['--perms', '1777', '--size', tmpBytes, '--tmpfs', '/tmp'],
    ...['--perms', '1777', '--size', tmpBytes, '--tmpfs', '/dev/shm'],
    ...['--bind', setup.workspace, '/workspace', '--chdir', '/workspace'],
    // bubblewrap's own root and /dev are tmpfs that could be written to, without a size.
    ...['--remount-ro', '/', '--remount-ro', '/dev'],
    '--clearenv',
    ...Object.entries(sandboxEnvironment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...['--json-status-fd', String(setup.statusFd)],
  ]
}

function systemDirectoryArgs({ path, linkTarget }: SystemDirectory): string[] {
  return linkTarget === null ? ['--ro-bind', path, path] : ['--symlink', linkTarget, path]
}
