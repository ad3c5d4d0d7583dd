/** What a call may try against the process that makes the slot's sandboxes, and against those that it makes next. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { closeSync, mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { type NativeResult, native } from '../../src/server/native.ts'
import { Holder } from '../../src/server/sandbox/holder.ts'
import { holderCalls, holderProgram } from '../../src/server/sandbox/holder-program.ts'
import type { Bubblewrap } from '../../src/server/sandbox/isolation.ts'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { bash, eventually, hasBubblewrap, insideOf, processesWith, slotWorkspace } from './support.ts'

const perl = Bun.which('perl')

describe.skipIf(!hasBubblewrap || perl === null)('the holder of a slot', () => {
  let sandbox: Sandbox
  let workspace: string
  let holder: number
  beforeAll(async () => {
    sandbox = await createSandbox({ slots: 2 })
    workspace = await slotWorkspace(sandbox)
    expect(await eventually(() => insideOf(workspace).length > 0)).toBe(true)
    holder = holderOf(workspace)
  })
  afterAll(() => sandbox.stop())

  /** Another server of one slot, whose holder has a sandbox that waits. */
  const openAlone = async () => {
    const sandbox = await createSandbox({ slots: 1 })
    const workspace = await slotWorkspace(sandbox)
    expect(await eventually(() => insideOf(workspace).length >= 2)).toBe(true)
    return { sandbox, workspace, [Symbol.asyncDispose]: () => sandbox.stop() }
  }

  /** It serves the next call, and is the same that it was. */
  const expectUnharmed = async () => {
    expect((await bash(sandbox, 'echo usable')).output).toBe('usable')
    expect(holderOf(workspace)).toBe(holder)
  }

  test('shares no namespace with a call, and the server none with it', async () => {
    const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts']
    const { output } = await bash(sandbox, `cd /proc/self/ns; readlink ${names.join(' ')}`)
    const inside = output.split('\n')
    const of = (pid: string | number) => names.map((name) => readlinkSync(`/proc/${pid}/ns/${name}`))
    expect(inside).toHaveLength(names.length)
    expect(inside.filter((name) => of(holder).includes(name))).toEqual([])
    expect(of(holder).filter((name) => of('self').includes(name))).toEqual([])
  })

  test('is not there for a call', async () => {
    const { output } = await bash(
      sandbox,
      'cat /proc/[0-9]*/cmdline | tr "\\0" "\\n" | grep -c [p]erl; ls -d /proc/[0-9]*',
    )
    expect(output.split('\n').slice(0, 3)).toEqual(['0', '/proc/1', '/proc/2'])
    expect((await bash(sandbox, 'grep PPid /proc/1/status; cut -d" " -f6 /proc/1/stat')).output).toBe(
      'PPid:\t0\n1',
    )
  })

  test.each(['KILL', 'STOP', 'TERM'])(
    'gets no signal that a call sends to its process group: %s',
    async (name) => {
      const { metadata } = await bash(sandbox, `kill -${name} 0; echo goes on`, { timeout: 0.5 })
      expect(metadata).toMatchObject(
        name === 'KILL' ? { exit_code: 137 } : name === 'TERM' ? { exit_code: 143 } : { timeout: true },
      )
      await expectUnharmed()
    },
  )

  test('gives a call no descriptor, nor anything to its first process', async () => {
    const { output } = await bash(sandbox, 'ls /proc/1/fd; readlink /proc/self/fd/*')
    expect(output.replaceAll(/[\d[\]]/g, '')).toBe('/dev/null\npipe:\npipe:')
  })

  test('is not reached through the first process, whose memory was its own', async () => {
    const program = `import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
print(libc.ptrace(16, 1, 0, 0), os.strerror(ctypes.get_errno()))
for name in ('mem', 'environ', 'maps', 'cwd', 'root', 'ns/pid'):
    try: open('/proc/1/' + name, 'rb').read(1); print(name)
    except OSError as e: print(e.strerror)`
    const { output } = await bash(sandbox, `/usr/bin/python3 -c "${program}"`)
    expect(output.split('\n')).toEqual(['-1 Operation not permitted', ...Array(6).fill('Permission denied')])
    await expectUnharmed()
  })

  test('shows a call no directory but its own', async () => {
    const { output } = await bash(sandbox, 'ls -A /tmp; cat /proc/self/mountinfo')
    expect(output).toContain(' /workspace ')
    expect(output).not.toMatch(new RegExp(` \\S*${basename(dirname(workspace))} `))
  })

  test('shares no file system with a call that one could write to', async () => {
    const places = ['/proc', '/dev/pts', '/dev/shm', '/tmp']
    const { output } = await bash(sandbox, `stat -c %d ${places.join(' ')}`)
    const held = places.map((path) => String(statSync(`/proc/${holder}/root${path}`).dev))
    expect(output.split('\n')).toHaveLength(places.length)
    expect(output.split('\n').filter((device) => held.includes(device))).toEqual([])
  })

  test('has rights that no call gets', async () => {
    const rights =
      'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status | cut -f2; grep -h . /proc/self/[ug]id_map'
    const { output } = await bash(sandbox, `${rights}; cat /proc/self/setgroups`)
    expect(output.replace(/ +/g, ' ').split('\n')).toEqual([
      ...Array(5).fill('0000000000000000'),
      ...['1', '2', ' 1000 0 1', ' 1000 0 1', 'deny'],
    ])
    expect(readFileSync(`/proc/${holder}/status`, 'latin1')).toMatch(/CapBnd:\t0000000080201000\n/)
  })

  test('tells how a call ended, whatever that says of itself', async () => {
    const forged =
      'for fd in 3 4 5 6 7 8 9; do echo "exit 0" >&$fd; done 2> /dev/null; echo "exit 0"; (exec kill -9 1); exit 7'
    expect((await bash(sandbox, forged)).metadata).toMatchObject({ exit_code: 7, stdout: 'exit 0\n' })
    await expectUnharmed()
  })

  test('goes on when a call has made all the processes that it may', async () => {
    const flood = `import os, time
made = 0
try:
    while made < 5000:
        if os.fork() == 0: time.sleep(60)
        made += 1
except OSError as e: print(made, e.strerror)`
    const outcomes = []
    for (let round = 0; round < 2; round++)
      outcomes.push(await bash(sandbox, `/usr/bin/python3 -c "${flood}"`))
    const [first, second] = outcomes.map(({ output }) => output)
    expect(first).toEndWith('Resource temporarily unavailable')
    expect(second).toBe(String(first))
    await expectUnharmed()
  })

  test('tells of a sandbox that was killed from outside that it broke: that is no result', async () => {
    const running = bash(sandbox, 'sleep 60')
    await Bun.sleep(100)
    process.kill(Math.min(...insideOf(workspace).map(Number)), 'SIGKILL')
    const { error, metadata } = await running
    expect([error.includes('SIGKILL'), metadata.exit_code]).toEqual([true, undefined])
    await expectUnharmed()
  })

  test('is ended with its call, when it does not listen, and there is another for the next', async () => {
    await using other = await openAlone()
    const running = bash(other.sandbox, 'sleep 60', { timeout: 0.2 })
    process.kill(holderOf(other.workspace), 'SIGSTOP')
    expect((await running).metadata.timeout).toBe(true)
    expect(insideOf(other.workspace)).toEqual([])
    expect((await bash(other.sandbox, 'echo usable')).output).toBe('usable')
  })

  test('leaves nothing when it is killed while a call runs, which is told as broken', async () => {
    const marker = `marker-${crypto.randomUUID()}`
    const running = bash(sandbox, `export M=${marker}; setsid sleep 60 > /dev/null 2>&1 & sleep 60`)
    expect(await eventually(() => processesWith(marker).length >= 2)).toBe(true)
    process.kill(holder, 'SIGKILL')
    const { success, error, metadata } = await running
    expect([success, metadata.exit_code]).toEqual([false, undefined])
    expect(error).toContain('SIGKILL')
    expect(processesWith(marker)).toEqual([])
    expect((await bash(sandbox, 'echo usable')).output).toBe('usable')
  })

  test('goes with the server', async () => {
    const other = await createSandbox({ slots: 2 })
    const data = dirname(await slotWorkspace(other))
    expect(await eventually(() => processesWith(`--bind\0${data}\0/tmp\0`).length >= 2)).toBe(true)
    await other.stop()
    expect(processesWith(data)).toEqual([])
  })
})

test('what is said of a holder that cannot start is kept as far as somebody may read it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'holder-'))
  const bwrapPath = join(dir, 'bwrap')
  writeFileSync(bwrapPath, '#!/bin/sh\necho no luck; head -c 9000000 /dev/zero | tr "\\0" x; exit 1\n', {
    mode: 0o755,
  })
  const limits = { tmpBytes: 1, processes: 1, memoryBytes: 1, fileBytes: 1, openFiles: 1 }
  const isolation: Bubblewrap = {
    ...{
      kind: 'bubblewrap',
      run: crypto.randomUUID(),
      bwrapPath,
      systemDirectories: [],
      etcDir: dir,
      limits,
    },
    ...{ seccompFile: null, hiddenDataDir: null, hasHolders: true },
  }
  const holder = new Holder(isolation, { workspace: dir, owner: null })
  expect((await holder.ended).exitCode).toBe(1)
  expect(holder.said).toStartWith('no luck\n')
  expect(holder.said.length).toBeLessThan(1_000_000)
  expect(() => holder.make({ stdout: -1, stderr: -1, commands: -1 })).toThrow('its holder has ended')
  rmSync(dir, { recursive: true })
})

describe.skipIf(perl === null)('the program of a holder', () => {
  test('tells when it cannot make a sandbox, and ends when nobody wants more', async () => {
    const { control, sandbox, stdout, stderr } = ends()
    const numbers = Object.entries(holderCalls[process.arch] ?? {}).flat()
    const argv = ['perl', '-we', holderProgram, 'slot_0', '4096', '', '', 'true', ...numbers.map(String)]
    // Whoever it is has no right to make namespaces.
    const nobody = process.geteuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    const child = Bun.spawn(argv, { stdio: ['ignore', 'ignore', 'ignore', control.theirs], ...nobody })
    const fds = [stdout.writeFd, stderr.writeFd, stdout.readFd, sandbox.theirs]
    expect(native()?.sendFds(control.ours, 1, fds)).toMatchObject({ ok: true })
    for (const fd of [control.theirs, stdout.writeFd, stderr.writeFd, sandbox.theirs]) closeSync(fd)
    const said = await Promise.all([stderr.readFd, sandbox.ours].map((fd) => Bun.file(fd).text()))
    expect(said).toEqual(['sandbox: clone: Operation not permitted\n', 'exit 125\n'])
    for (const fd of [control.ours, sandbox.ours, stdout.readFd, stderr.readFd]) closeSync(fd)
    expect(await child.exited).toBe(0)
  })

  function ends() {
    const made = <T>(result: NativeResult<T> | undefined): T => {
      if (result?.ok !== true) throw new Error('no native calls')
      return result.value
    }
    const pair = () => made(native()?.socketPair())
    const pipe = () => made(native()?.pipe())
    return { control: pair(), sandbox: pair(), stdout: pipe(), stderr: pipe() }
  }
})

/** The only child of the bubblewrap that has the slot's name among its arguments. */
function holderOf(workspace: string): number {
  const slot = `\0${basename(workspace)}\0`
  const [monitor] = processesWith(`--bind\0${dirname(workspace)}\0/tmp\0`).filter((pid) =>
    readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(slot),
  )
  return Number(readFileSync(`/proc/${monitor}/task/${monitor}/children`, 'latin1'))
}
