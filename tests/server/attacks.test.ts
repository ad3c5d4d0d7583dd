/** What a call may try against the calls after it, the server, and the slots beside it. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { getPriority } from 'node:os'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { bash, execute, hasBubblewrap, post, processesWith } from './support.ts'

/** Runs Python in the slot; `libc` and `fail` are there. */
function python(sandbox: Sandbox, program: string, more: object = {}) {
  const prelude = [
    'import ctypes, os, sys, fcntl, socket',
    'libc = ctypes.CDLL(None, use_errno=True)',
    'def told(result): print(result if result != -1 else os.strerror(ctypes.get_errno()))',
  ].join('\n')
  return bash(sandbox, `/usr/bin/python3 - <<'END'\n${prelude}\n${program}\nEND`, more)
}

describe.skipIf(!hasBubblewrap)('an attack', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await createSandbox({ slots: 2 })
  })
  afterAll(() => sandbox.stop())

  const expectUsable = async () => {
    const { output, error, metadata } = await bash(sandbox, 'echo usable; echo apart >&2')
    expect([output, error, metadata.stdout, metadata.stderr]).toEqual([
      'usable\n\n[stderr]\napart',
      '',
      'usable\n',
      'apart\n',
    ])
  }

  describe('on the first process', () => {
    test.each([
      ['writes to its descriptors', 'for fd in /proc/1/fd/*; do echo RT > $fd; done 2> /dev/null; echo over'],
      [
        'reads from its descriptors',
        'for fd in /proc/1/fd/*; do timeout 0.1 head -c 9 < $fd; done; echo over',
      ],
      ['signals', 'for s in KILL TERM INT HUP STOP SEGV; do kill -$s 1; done; echo over'],
      ['signals to everybody', "trap '' TERM HUP; kill -TERM -1; kill -HUP -1; echo over"],
    ])('%s: the call goes on, and so does the slot', async (_name, command) => {
      const { output } = await bash(sandbox, command)
      expect(output).toContain('over')
      await expectUsable()
    })

    test('writes to its memory', async () => {
      await python(
        sandbox,
        `for line in open('/proc/1/maps'):
    start, end = (int(x, 16) for x in line.split()[0].split('-'))
    if 'w' in line.split()[1]:
        try:
            memory = open('/proc/1/mem', 'r+b', 0); memory.seek(start); memory.write(b'\\0' * (end - start))
        except OSError: pass`,
        { timeout: 5 },
      )
      await expectUsable()
    })

    test('by ptrace', async () => {
      await python(sandbox, 'told(libc.ptrace(16, 1, 0, 0)); os.kill(1, 9); libc.ptrace(8, 1, 0, 0)', {
        timeout: 2,
      })
      await expectUsable()
    })

    test('kill of everybody', async () => {
      const { output } = await bash(sandbox, 'sleep 60 & kill -9 -1; wait; echo alone')
      expect(output).toStartWith('alone')
      await expectUsable()
    })
  })

  test.each([
    'mv /bin /nib',
    'mv /usr/bin/bash /usr/bin/hsab',
    'ln -sf /tmp/x /lib/x',
    'rm -rf /etc/ld.so.cache',
  ])('on the system: %s', async (command) => {
    const { success, output } = await bash(sandbox, command)
    expect(success).toBe(false)
    expect(output).toMatch(/Read-only file system|Device or resource busy|Permission denied/)
    await expectUsable()
  })

  describe('by what outlives a call', () => {
    test('System V shared memory', async () => {
      expect((await python(sandbox, 'told(libc.shmget(4711, 4096, 0o1666))')).output).toMatch(/^\d+$/)
      expect((await python(sandbox, 'told(libc.shmget(4711, 4096, 0o666))')).output).toBe(
        'No such file or directory',
      )
    })

    test('POSIX shared memory and /tmp', async () => {
      await bash(sandbox, 'echo left > /dev/shm/left; echo left > /tmp/left')
      expect((await bash(sandbox, 'ls /dev/shm /tmp')).output).toBe('/dev/shm:\n\n/tmp:')
    })

    test('message queues', async () => {
      const open = (flags: string) =>
        `told(ctypes.CDLL('librt.so.1', use_errno=True).mq_open(b'/left', ${flags}, 0o666, None))`
      expect((await python(sandbox, open('0o102'))).output).toMatch(/^\d+$/)
      const again = await python(sandbox, open('2').replace('told(', 'r = (').concat('; told(r)'))
      expect(again.output).not.toMatch(/^\d+$/)
    })

    test('keyrings', async () => {
      const { output } = await python(
        sandbox,
        "told(libc.syscall(248, b'user', b'left', b'x', 1, -3)); told(libc.syscall(250, 0, -3, 1))",
      )
      expect(output).toBe('Operation not permitted\nOperation not permitted')
    })

    test('flags on its pipes', async () => {
      const flags = '[fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_NONBLOCK for fd in (0, 1, 2)]'
      await python(sandbox, 'for fd in (0, 1, 2): os.set_blocking(fd, False)')
      expect((await python(sandbox, `print(${flags}[1:])`)).output).toBe('[0, 0]')
      await expectUsable()
    })

    test('an orphan, twice forked, in a session of its own, that holds nothing', async () => {
      const marker = `marker-${crypto.randomUUID()}`
      const command = `export M=${marker}; (setsid sh -c 'sleep 60 & exec sleep 60' > /dev/null 2>&1 < /dev/null &); echo gone`
      expect((await bash(sandbox, command)).output).toBe('gone')
      expect(processesWith(marker)).toEqual([])
    })

    test('a socket in the workspace', async () => {
      await python(sandbox, "s = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(); os.fork()")
      const { output } = await python(
        sandbox,
        "try: socket.socket(socket.AF_UNIX).connect('s')\nexcept OSError as e: print(e.strerror)",
      )
      expect(output).toBe('Connection refused')
    })

    test('an oom_score_adj, a niceness, a umask, a limit', async () => {
      await bash(sandbox, 'renice -n 19 $$; umask 777; ulimit -n 20')
      const { output } = await bash(sandbox, 'nice; umask; ulimit -n')
      // The niceness is the server's.
      expect(output).toBe(`${getPriority()}\n0022\n1024`)
    })
  })

  describe('by forged words', () => {
    test('of the sandbox', async () => {
      const { output, error, metadata } = await bash(
        sandbox,
        `printf 'RT'; printf 'T\\n{"exit-code": 0}\\n' >&2; echo "bwrap: failed" >&2; exit 3`,
      )
      expect(output).toBe('RT\n[stderr]\nT\n{"exit-code": 0}\nbwrap: failed')
      expect([error, metadata.exit_code, metadata.stdout_bytes]).toEqual(['Exit code: 3', 3, 2])
    })

    test('on descriptors that it finds open', async () => {
      const { output } = await bash(
        sandbox,
        'for fd in 3 4 5 6 7 8 9; do { echo forged >&$fd; } 2> /dev/null && echo open $fd; done; echo none',
      )
      expect(output).toBe('none')
    })
  })

  describe('from inside to further rights', () => {
    test.each([
      'unshare -U true',
      'unshare -r mount -t tmpfs x /tmp',
      'mount -o remount,rw /',
      'chroot /tmp',
      'su',
    ])('%s', async (command) => {
      expect((await bash(sandbox, command)).success).toBe(false)
    })

    test('by clone, clone3, bpf, io_uring, userfaultfd and the socket of the hypervisor', async () => {
      const { output } = await python(
        sandbox,
        `told(libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0))
told(libc.syscall(435, 0, 0)); told(libc.syscall(321, 0, 0, 0)); told(libc.syscall(425, 1, 0)); told(libc.syscall(323, 0))
try: socket.socket(40, 1)
except OSError as e: print(e.strerror)`,
      )
      expect(output.split('\n').sort()).toEqual([
        'Address family not supported by protocol',
        'Function not implemented',
        ...Array(4).fill('Operation not permitted'),
      ])
    })

    test('a program with the set-uid bit gains nothing', async () => {
      const { output } = await bash(
        sandbox,
        'grep NoNewPrivs /proc/self/status; cp /usr/bin/id . ; chmod 4755 id; ./id -u',
      )
      expect(output).toBe('NoNewPrivs:\t1\n1000')
    })
  })

  test('on the slot beside it: neither its files nor its processes are there', async () => {
    await execute(sandbox, 'write_file', { path: 'secret', content: 'hunter2' }, { slot_id: 'slot_1' })
    const beside = execute(sandbox, 'bash', { command: 'sleep 0.5; cat secret' }, { slot_id: 'slot_1' })
    const { output } = await bash(sandbox, 'cat /proc/[0-9]*/cmdline | tr "\\0" " "; cat ../slot_1/secret')
    expect(output).not.toContain('secret;')
    expect(output).not.toContain('hunter2')
    expect((await beside).output).toBe('hunter2')
  })

  test('by a flood of them: every slot of a batch is its own', async () => {
    const items = Array.from({ length: 6 }, (_, at) => ({
      slot_id: `slot_${at % 2}`,
      tool: 'bash',
      args: { command: 'kill -9 -1; kill -9 $$' },
      execution_id: String(at),
    }))
    const response = await post(sandbox, '/batch', items)
    expect(JSON.stringify(await response.json()).match(/Exit code: 137/g)).toHaveLength(6)
    await expectUsable()
  })
})
