import { describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { pythonFloat } from '../../src/server/tools/text.ts'
import {
  bash,
  eventually,
  execute,
  hasBubblewrap,
  processesWith,
  slotWorkspace,
  useSandboxes,
} from './support.ts'

const openSandbox = useSandboxes()

describe.skipIf(!hasBubblewrap)('bash in a sandbox', () => {
  let sandbox: Sandbox
  const withSandbox = async () => {
    sandbox = await openSandbox()
  }

  describe('takes commands as bash -c does', () => {
    test('of 300 kB', async () => {
      await withSandbox()
      const { output } = await bash(sandbox, `: ${'x'.repeat(300_000)}\necho end`)
      expect(output).toBe('end')
    })

    test('with $0, no arguments, no open descriptors, and an empty stdin', async () => {
      await withSandbox()
      const { output } = await bash(
        sandbox,
        'echo $0 $#; ls /proc/$$/fd > /tmp/fds; tr "\\n" " " < /tmp/fds; echo; cat; read -r x; echo $?',
      )
      expect(output.split('\n')).toEqual(['bash 0', expect.stringMatching(/^0 1 2( 255)? $/), '1'])
    })

    test('that write to /dev/stdout and /dev/stderr', async () => {
      await withSandbox()
      const { output } = await bash(sandbox, 'echo out > /dev/stdout; echo err > /dev/stderr')
      expect(output).toBe('out\n\n[stderr]\nerr')
    })

    test('in Python of the system', async () => {
      await withSandbox()
      await execute(sandbox, 'write_file', { path: 'solution.py', content: 'print(6 * 7)\n' })
      const { output, error } = await bash(sandbox, '/usr/bin/python3 solution.py')
      expect([output, error]).toEqual(['42', ''])
    })

    test('of one program, which takes the place of the shell', async () => {
      await withSandbox()
      expect((await bash(sandbox, 'grep PPid /proc/self/status')).output).toBe('PPid:\t1')
      expect((await bash(sandbox, 'grep PPid /proc/self/status; true')).output).toBe('PPid:\t2')
      expect((await bash(sandbox, 'ls  -d  /usr  /bin')).output).toBe('/bin\n/usr')
    })

    test.each([
      ['echo a  b', 'a b', 0],
      ['time true', 'real\t', 0],
      ['nosuch -x', 'nosuch: command not found', 127],
      ['@', '@: command not found', 127],
      ['pwd', '/workspace', 0],
      [' expr 1 + 1', '2', 0],
      ['', '', 0],
    ])('that name no program, or look like one: %p', async (command, part, exitCode) => {
      await withSandbox()
      const { output, metadata } = await bash(sandbox, command)
      expect([output.includes(part), metadata.exit_code]).toEqual([true, exitCode])
    })

    test('and names their own lines', async () => {
      await withSandbox()
      const { output } = await bash(sandbox, 'true\nnosuch1\nif true; then\n  nosuch2\n  echo $LINENO\nfi')
      expect(output).toStartWith('5\n')
      expect(output).toContain('bash: line 2: nosuch1: command not found\nbash: line 4: nosuch2')
    })

    test('and shows what they are: a syntax error is a result', async () => {
      await withSandbox()
      const { success, error, output } = await bash(sandbox, 'if then')
      expect([success, error]).toEqual([false, 'Exit code: 2'])
      expect(output).toContain('syntax error')
    })
  })

  test('what a tool prints decides nothing: it cannot look like a failure of the sandbox', async () => {
    await withSandbox()
    const { error, metadata } = await bash(
      sandbox,
      'echo "bwrap: Can\'t find source path /usr: No such file" >&2; echo "{ \\"exit-code\\": 0 }"; exit 1',
    )
    expect([error, metadata.sandboxed]).toEqual(['Exit code: 1', true])
  })

  test('a sandbox that cannot be set up is told as such, without an exit code', async () => {
    await withSandbox()
    const workspace = await slotWorkspace(sandbox)
    await Bun.$`rm -rf ${workspace}`
    const { success, error, metadata } = await bash(sandbox, 'echo never')
    expect(success).toBe(false)
    expect(error).toMatch(
      /^Sandbox failed to start: (bwrap: Can't find source path|sandbox: mount \S+ \/workspace: No such file)/,
    )
    expect(metadata).not.toHaveProperty('exit_code')
  })

  describe('ends with all its processes', () => {
    test('at its timeout: also those in sessions of their own', async () => {
      await withSandbox()
      const marker = `marker-${crypto.randomUUID()}`
      const command = `export M=${marker}; (setsid sh -c 'sleep 60 & sleep 60' &) ; setsid sleep 60 & echo before; sleep 60`
      const { error, output, metadata } = await bash(sandbox, command, { timeout: 0.5 })
      expect([error, output, metadata.timeout]).toEqual(['Command timed out after 0.5s', 'before', true])
      expect(processesWith(marker)).toEqual([])
      expect((await bash(sandbox, 'echo usable')).output).toBe('usable')
    })

    test('when it leaves a child behind that holds its output', async () => {
      await withSandbox()
      const marker = `marker-${crypto.randomUUID()}`
      const { output } = await bash(sandbox, `M=${marker} setsid sleep 60 & echo started`)
      expect(output).toBe('started')
      expect(processesWith(marker)).toEqual([])
    })

    test('also when it is killed while its sandbox is being set up', async () => {
      await withSandbox()
      const workspace = await slotWorkspace(sandbox)
      for (let ms = 0; ms < 60; ms++) {
        await bash(sandbox, 'sleep 60', { timeout: (0.5 + (ms % 12)) / 1000 })
      }
      expect((await bash(sandbox, 'echo usable')).output).toBe('usable')
      await sandbox.stop()
      // bubblewrap has the workspace among its arguments.
      expect(processesWith(workspace)).toEqual([])
    })

    test('before it is answered, however long they take to die', async () => {
      await withSandbox()
      const marker = `marker-${crypto.randomUUID()}`
      const command = `export M=${marker}; for i in $(seq 100); do sleep 60 > /dev/null 2>&1 & done; echo started`
      for (let times = 0; times < 5; times++) {
        await bash(sandbox, command)
        expect(processesWith(marker)).toEqual([])
      }
    })

    test('when the server stops', async () => {
      await withSandbox()
      const marker = `marker-${crypto.randomUUID()}`
      const running = bash(sandbox, `export M=${marker}; setsid sleep 60 & sleep 60`)
      const waiting = bash(sandbox, 'echo never')
      expect(await eventually(() => processesWith(marker).length >= 2)).toBe(true)
      const workspace = await slotWorkspace(sandbox)
      await sandbox.stop()
      expect(processesWith(marker)).toEqual([])
      expect((await running).error).toBe('Command was killed: the server stops')
      expect((await waiting).error).toBe('Not run: the server stops')
      expect(existsSync(`${workspace}/..`)).toBe(false)
    })
  })

  describe('output', () => {
    test('of 200 MB takes little memory', async () => {
      await withSandbox()
      Bun.gc(true)
      const before = process.memoryUsage.rss()
      const { output } = await bash(sandbox, 'head -c 200000000 /dev/zero | tr "\\0" a')
      expect(output).toHaveLength(50_000 + '\n... (output truncated)'.length)
      expect(process.memoryUsage.rss() - before).toBeLessThan(64_000_000)
    })

    test('is cut between characters, not inside one', async () => {
      await withSandbox()
      const { output } = await bash(sandbox, '/usr/bin/python3 -c "print(\'\\U0001F600\' * 50001)"')
      expect(output).toBe(`${'😀'.repeat(50_000)}\n... (output truncated)`)
    })

    test('that is no UTF-8 becomes U+FFFD, once per fault', async () => {
      await withSandbox()
      const { output } = await bash(sandbox, "printf 'a\\377b\\303'; sleep 0.05; printf '\\251c\\342\\202'")
      expect(output).toBe('a�béc�')
    })
  })
})

test('seconds are written as Python writes floats', () => {
  expect([0.5, 30, 0.00001, 1.25e-7, 86_400].map(pythonFloat)).toEqual([
    '0.5',
    '30.0',
    '1e-05',
    '1.25e-07',
    '86400.0',
  ])
})
