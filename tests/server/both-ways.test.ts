/** A sandbox is the same whoever made it: the slot's holder before the call, or bubblewrap in it. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readlinkSync, statSync } from 'node:fs'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { bash, eventually, hasBubblewrap, insideOf, processesWith, slotWorkspace } from './support.ts'

const tmpBytes = 4 * 2 ** 20
const ways = Bun.which('perl') === null ? ['bubblewrap'] : ['a holder', 'bubblewrap']

describe.skipIf(!hasBubblewrap).each(ways)('a sandbox made by %s', (way) => {
  let sandbox: Sandbox
  let workspace: string
  beforeAll(async () => {
    const ready = { maxWaiting: way === 'bubblewrap' ? 0 : 8, idleMs: 30_000 }
    sandbox = await createSandbox({ slots: 2, limits: { tmpBytes } }, { ready })
    workspace = await slotWorkspace(sandbox)
    if (way === 'a holder') expect(await eventually(() => insideOf(workspace).length > 0)).toBe(true)
  })
  afterAll(() => sandbox.stop())

  const lines = async (command: string, more: object = {}) =>
    (await bash(sandbox, command, more)).output.split('\n')

  /** The processes of a call that are alive while `look` is called. */
  const during = async <T>(look: (pids: readonly string[]) => T): Promise<T> => {
    const marker = `marker-${crypto.randomUUID()}`
    const cancelled = bash(sandbox, `M=${marker} sleep 0.5`)
    expect(await eventually(() => processesWith(`M=${marker}`).length > 0)).toBe(true)
    const found = look(processesWith(`M=${marker}`))
    await cancelled
    return found
  }

  test('was made by it', async () => {
    const [name = ''] = await lines('tr "\\0" "\\n" < /proc/1/cmdline')
    expect(name).toBe(way === 'bubblewrap' ? 'sh' : 'sandbox')
  })

  test('shares no namespace with the server, nor with one that runs beside it', async () => {
    const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts']
    const command = `sleep 0.2; cd /proc/self/ns; readlink ${names.join(' ')}; sleep 0.2`
    const both = await Promise.all(['slot_0', 'slot_1'].map((slot_id) => lines(command, { slot_id })))
    const own = names.map((name) => readlinkSync(`/proc/self/ns/${name}`))
    expect(both.map((inside) => inside.length)).toEqual([7, 7])
    expect(new Set([...both.flat(), ...own]).size).toBe(21)
  })

  test('has a /tmp and a /dev/shm of its own, of their size, and nothing of the machine in them', async () => {
    expect(await lines('df -B1 --output=fstype,size,used /tmp /dev/shm | tail -n +2 | tr -s " "')).toEqual([
      ...Array(2).fill(`tmpfs ${tmpBytes} 0`),
    ])
    expect(await lines('ls -A /tmp /dev/shm; touch /tmp/x /dev/shm/x && echo both')).toEqual([
      ...['/dev/shm:', '', '/tmp:', 'both'],
    ])
  })

  test('is run by the owner of the workspace, whom it calls 1000, and who can become nobody else', async () => {
    expect(await lines('id -u; id -g; tr -s " " < /proc/self/uid_map; cat /proc/self/setgroups')).toEqual([
      ...['1000', '1000', expect.stringMatching(/^ 1000 \d+ 1$/), 'deny'],
    ])
    const uids = await during((pids) => pids.map((pid) => statSync(`/proc/${pid}`).uid))
    expect([...new Set(uids)]).toEqual([statSync(workspace).uid])
  })

  test('has no capability, cannot gain one, and is under the filter of system calls', async () => {
    // Nor has its first process.
    for (const pid of ['self', '1']) {
      expect(await lines(`grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/${pid}/status | cut -f2`)).toEqual([
        ...Array(5).fill('0000000000000000'),
        ...['1', '2'],
      ])
    }
  })

  test('has a name of its own, a loopback of its own, and no other network', async () => {
    expect(
      await lines('uname -n; tail -n +3 /proc/net/dev | cut -d: -f1; cat /proc/net/route | wc -l'),
    ).toEqual([...['sandbox', '    lo', '1']])
    const program = `import socket
s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); print('connected')`
    expect(await lines(`/usr/bin/python3 -c "${program}"`)).toEqual(['connected'])
  })

  test.each([
    ['KILL', 137],
    ['TERM', 143],
  ])('that sends %s to its process group has ended itself, and nothing else', async (name, exitCode) => {
    const { output, metadata } = await bash(sandbox, `echo before; sleep 60 & kill -${name} 0; echo goes on`)
    expect([output, metadata.exit_code]).toEqual(['before', exitCode])
    expect((await bash(sandbox, 'echo usable')).output).toBe('usable')
  })
})
