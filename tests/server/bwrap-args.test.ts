import { expect, test } from 'bun:test'
import { bwrapArgs, outerArgs, sandboxEnvironment } from '../../src/server/sandbox/bwrap-args.ts'
import { etcPaths, mountedEtc } from '../../src/server/sandbox/etc.ts'

const setup = {
  systemDirectories: [
    { path: '/bin', linkTarget: 'usr/bin' },
    { path: '/lib', linkTarget: null },
  ],
  etcDir: '/data/.sandbox-slots-system/etc',
  workspace: '/data/slot_3',
  tmpBytes: 1_000_000,
  network: false,
  seccompFd: 5,
}
const args = bwrapArgs(setup)
const line = args.join(' ')

/** The operands of an option, as often as it comes. */
function operandsOf(option: string, count: number): string[] {
  return args.flatMap((arg, at) => (arg === option ? [args.slice(at + 1, at + 1 + count).join(' ')] : []))
}

test('every namespace is fresh, the network too', () => {
  const unshared = args.filter((arg) => arg.startsWith('--unshare-'))
  expect(unshared.sort()).toEqual(
    ['cgroup', 'ipc', 'net', 'pid', 'user', 'uts'].map((name) => `--unshare-${name}`),
  )
})

test('the network is that of the machine only when it is asked for', () => {
  const without = bwrapArgs({ ...setup, network: true })
  expect(args.filter((arg) => !without.includes(arg))).toEqual(['--unshare-net'])
})

test('the first process is ours: its end, with that of all others, is what the monitor waits for', () => {
  expect(args).toContain('--as-pid-1')
})

test('system calls are filtered', () => {
  expect(operandsOf('--seccomp', 1)).toEqual(['5'])
  expect(bwrapArgs({ ...setup, seccompFd: null })).not.toContain('--seccomp')
})

test('no capability is left, and nothing outlives the server', () => {
  expect(line).toContain('--cap-drop ALL --uid 1000 --gid 1000')
  expect(args).toContain('--die-with-parent')
})

test('only the workspace can be written to, and it is the place where a command starts', () => {
  expect(operandsOf('--bind', 2)).toEqual(['/data/slot_3 /workspace'])
  expect(operandsOf('--chdir', 1)).toEqual(['/workspace'])
  expect(operandsOf('--remount-ro', 1)).toEqual(['/', '/dev'])
  expect(args.some((arg) => arg === '--bind-try' || arg === '--dev-bind')).toBe(false)
})

test('/tmp and /dev/shm are private and have a size', () => {
  expect(operandsOf('--size', 3)).toEqual(['1000000 --tmpfs /tmp', '1000000 --tmpfs /dev/shm'])
})

test('system directories are links where they are links, and read-only where they are not', () => {
  expect(operandsOf('--symlink', 2)).toEqual(['usr/bin /bin'])
  expect(operandsOf('--ro-bind', 2)).toEqual([
    '/usr /usr',
    '/lib /lib',
    '/data/.sandbox-slots-system/etc /etc',
  ])
})

test('what root could set the kernel with is read-only, where the machine has it', () => {
  const closed = ['acpi', 'bus', 'fs', 'irq', 'mtrr', 'scsi', 'sys', 'sysrq-trigger']
  const bound = operandsOf('--ro-bind-try', 2).filter((pair) => pair.startsWith('/proc/'))
  expect(bound.sort()).toEqual(closed.map((name) => `/proc/${name} /proc/${name}`))
})

test.each([false, true])('of /etc there is only what programs need (network: %p)', (network) => {
  const paths = [...etcPaths(network), ...mountedEtc]
  const secrets = ['', '.', 'shadow', 'gshadow', 'ssl', 'ssl/private', 'ssh', 'passwd', 'hosts', 'hostname']
  expect(paths.filter((path) => secrets.includes(path) || path.startsWith('/'))).toEqual([])
  expect(paths.includes('resolv.conf')).toBe(network)
})

test('the environment is cleared before it is set', () => {
  expect(args).toContain('--clearenv')
  expect(args.indexOf('--clearenv')).toBeLessThan(args.indexOf('--setenv'))
  expect(operandsOf('--setenv', 1)).toEqual(Object.keys(sandboxEnvironment))
})

test('what makes sandboxes sees the directory of the workspaces, and has three rights in namespaces of its own', () => {
  const outer = outerArgs(setup)
  const added = outer.filter((arg) => !args.includes(arg))
  const rights = ['CAP_NET_ADMIN', 'CAP_SYS_ADMIN', 'CAP_SETFCAP']
  expect(added.filter((arg) => arg.startsWith('CAP_'))).toEqual(rights)
  expect(outer.join(' ')).toContain('--cap-drop ALL --uid 0 --gid 0')
  expect(outer.join(' ')).toContain('--bind /data /tmp')
  // It filters those that it makes: it must make namespaces itself.
  expect(outer).not.toContain('--seccomp')
  expect(outer.filter((arg) => arg.startsWith('--unshare-'))).toEqual(
    args.filter((arg) => arg.startsWith('--unshare-')),
  )
})
