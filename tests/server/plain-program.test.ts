/** Commands that are a program and plain words: no shell is started for them, and nothing else is different. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { closeSync, mkdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { Holder } from '../../src/server/sandbox/holder.ts'
import { programOf } from '../../src/server/sandbox/plain-program.ts'
import { prepareIsolation } from '../../src/server/sandbox/prepare-isolation.ts'
import { openPipe } from '../../src/server/sandbox/shell-process.ts'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { bash, eventually, execute, hasBubblewrap, insideOf, slotWorkspace } from './support.ts'

const hasHolders = hasBubblewrap && Bun.which('perl') !== null

describe('the words of a command', () => {
  test.each([
    ['python3 solution.py', ['python3', 'solution.py']],
    ['ls  -la  src/a.ts ', ['ls', '-la', 'src/a.ts']],
    ['gcc -O2 -std=c++20 a.c', ['gcc', '-O2', '-std=c++20', 'a.c']],
    [
      `git commit -m 'a b' -m "it's" --author=A" B"`,
      ['git', 'commit', '-m', 'a b', '-m', "it's", '--author=A B'],
    ],
    [`python3 -c 'print("$x")\nprint(1)' "" 'é!*'`, ['python3', '-c', 'print("$x")\nprint(1)', '', 'é!*']],
    ['make CC=gcc', ['make', 'CC=gcc']],
    ['git log --oneline -n 5 HEAD@ a:b 50% x+y a,b', expect.arrayContaining(['HEAD@', 'a:b', '50%', 'x+y'])],
    ['make', ['make']],
  ])('are known when it is a program: %s', (command, words) => {
    expect(programOf(command)).toEqual(words)
  })

  test.each([
    ...['', ' ', ' ls', './a.sh', 'bin/a.sh', '/bin/ls', '-v', 'A=1 ls', 'ls\n', 'ls\nls', 'ls\tx', 'ls é'],
    ...['ls *', 'ls ?', 'ls [a]', 'ls {a,b}', 'ls ~', 'ls $A', 'ls \\a', 'ls `a`'],
    ...[
      'ls "$A"',
      'ls "`a`"',
      'ls "\\a"',
      `ls $'a'`,
      'ls "a',
      "ls 'a",
      `ls 'a'\n`,
      `'ls' a`,
      'l"s"',
      'ls a=~',
      "ls 'a'é",
    ],
    ...['ls; ls', 'ls & ls', 'ls | ls', 'ls > a', 'ls < a', 'ls (a)', 'ls #a', 'ls !a', 'ls ^a'],
    ...[
      'time ls',
      'if ls',
      'exec ls',
      'echo a',
      'cd src',
      'true',
      'test a',
      'kill 1',
      `ls ${'a'.repeat(70_000)}`,
    ],
  ])('are the shell’s when it would do more than start a program: %j', (command) => {
    expect(programOf(command)).toBeNull()
  })

  test('are the shell’s when it has a word like the first', async () => {
    const { stdout } = Bun.spawnSync(['bash', '-c', 'compgen -bk'])
    const words = stdout.toString().split('\n').filter(Boolean)
    expect(words.length).toBeGreaterThan(60)
    expect(words.filter((word) => programOf(word) !== null)).toEqual([])
  })
})

test('the words of a command are those that a shell makes of it', () => {
  const piece = fc.constantFrom(...`ab9._/:@%+,=-'" '"é!*~{}[]?#^&;<>()\n\t`)
  const command = fc.array(piece, { maxLength: 24 }).map((pieces) => `ls ${pieces.join('')}`)
  let programs = 0
  const isSame = (text: string) => {
    const words = programOf(text)
    if (words === null) return
    programs += 1
    const { stdout } = Bun.spawnSync(['bash', '-c', `ls() { printf '%s\\0' "$@"; }; ${text}`])
    expect(['ls', ...stdout.toString().split('\0').slice(0, -1)]).toEqual([
      ...words,
      ...(words.length === 1 ? [''] : []),
    ])
  }
  fc.assert(fc.property(command, isSame), { numRuns: 2_000 })
  expect(programs).toBeGreaterThan(20)
})

describe.skipIf(!hasHolders)('a program without a shell', () => {
  let ready: Sandbox
  let workspace: string
  beforeAll(async () => {
    ready = await createSandbox({ slots: 1 })
    workspace = await slotWorkspace(ready)
  })
  afterAll(() => ready.stop())

  /** The results of commands, each in a sandbox in which so many processes wait. */
  const waitingFor =
    (processes: number, before: string) =>
    async (command: string, more: object = {}) => {
      await bash(ready, before)
      expect(await eventually(() => insideOf(workspace).length === processes)).toBe(true)
      return bash(ready, command, more)
    }
  const withoutShell = waitingFor(1, 'uname')
  const withShell = waitingFor(2, 'echo a')
  const told = ({ success, error, output }: { success: boolean; error: string; output: string }) => {
    const lines = output.replaceAll(/pipe:\[\d+]|\w{3} \d\d \d\d:\d\d|-1000$/gm, '').split('\n')
    return {
      success,
      error,
      lines: lines.filter((line) => !/^(Vm|Rss|\w*ctxt|SigQ|FDSize)/.test(line)).sort(),
    }
  }

  test.each([
    ...[
      'env',
      'ls -l /proc/self/fd',
      'cat /proc/self/oom_score_adj',
      'cat /proc/self/limits',
      'id',
      'pwd -P',
    ],
    ...[
      'cat /proc/self/status',
      'cat /proc/self/cgroup',
      'ls -la',
      'cat nothing',
      'nosuch --help',
      'ls  -d   .',
    ],
    ...['python3 -c print', 'sh -c exit', 'sleep 0', 'timeout 5 sh -c id', 'uname -n'],
    ...[
      `python3 -c 'import sys; print(sys.argv)' "" 'a  b' x="é" ''`,
      `nosuch 'a b' "c"`,
      `env A=1 sh -c 'echo "$A"'`,
    ],
  ])('is told as from a shell: %s', async (command) => {
    expect(told(await withoutShell(command))).toEqual(told(await withShell(command)))
  })

  test('ends with its code, or by its signal', async () => {
    await execute(ready, 'write_file', { path: 'end.sh', content: 'eval "$1 $2 $3"' })
    for (const [command, error] of [
      ['sh end.sh exit 3', 'Exit code: 3'],
      ['sh end.sh kill -9 0', 'Exit code: 137'],
    ] as const) {
      const { metadata, ...result } = await withoutShell(command)
      expect([result.error, metadata.stdout, metadata.stderr]).toEqual([error, '', ''])
    }
  })

  test('is not what waits for every command: a shell is started for one that needs it, or has input', async () => {
    expect((await withoutShell('echo $((1 + 1)); echo $0 $#')).output).toBe('2\nbash 0')
    await bash(ready, 'uname')
    expect(await eventually(() => insideOf(workspace).length === 1)).toBe(true)
    expect((await execute(ready, 'bash', { command: 'cat', stdin: 'given' })).output).toBe('given')
  })

  test('is killed at its timeout, with what it started', async () => {
    const { metadata } = await withoutShell('timeout 60 sleep 50', { timeout: 0.3 })
    expect(metadata).toMatchObject({ timeout: true })
    expect(await eventually(() => insideOf(workspace).length === 1)).toBe(true)
    expect((await bash(ready, 'uname')).success).toBe(true)
  })
})

describe.skipIf(!hasHolders)('the first process of a sandbox', () => {
  const dir = join(tmpdir(), `late-test-${crypto.randomUUID()}`)
  const place = { workspace: join(dir, 'slot_0'), owner: null }
  let holder: Holder
  beforeAll(async () => {
    mkdirSync(place.workspace, { recursive: true })
    const isolation = await prepareIsolation({
      ...{ kind: 'bubblewrap', run: crypto.randomUUID(), systemDir: dir, network: false },
      limits: { tmpBytes: 4096, processes: 64, memoryBytes: 2 ** 32, fileBytes: 2 ** 20, openFiles: 64 },
      ...{ bwrapPath: undefined, owner: null, hiddenDataDir: null },
    })
    if (isolation.kind === 'none') throw new Error('no bubblewrap')
    holder = new Holder(isolation, place)
  })
  afterAll(async () => {
    await holder.kill()
    rmSync(dir, { recursive: true })
  })

  /** What it prints, and its end. */
  const given = async (message: string) => {
    const [stdout, stderr, commands] = [openPipe(), openPipe(), openPipe()]
    const fds = { stdout: stdout.writeFd, stderr: stderr.writeFd, commands: commands.readFd }
    const { ended } = holder.make(fds, true)
    for (const fd of Object.values(fds)) closeSync(fd)
    writeSync(commands.writeFd, message)
    closeSync(commands.writeFd)
    const texts = [stdout, stderr].map(({ readFd }) => Bun.file(readFd).text())
    const [{ exitCode }, ...printed] = await Promise.all([ended, ...texts])
    for (const { readFd } of [stdout, stderr]) closeSync(readFd)
    return [exitCode, ...printed]
  }

  test('starts a program, or a shell', async () => {
    expect(await given('17\nuname -n\0uname\0-n')).toEqual([0, 'RTsandbox\n', ''])
    expect(await given('shell\n6\necho a')).toEqual([0, 'RTa\n', ''])
    expect(await given('shell\n3+\ncatinput')).toEqual([0, 'RTinput', ''])
  })

  test.each(['', '14', '14\n', '14\nuname\0uname', 'shel', 'shell\n', 'shell\n6', 'shell\n6\necho'])(
    'runs nothing of a command that is cut: %j',
    async (message) => {
      expect(await given(message)).toEqual([125, 'R', ''])
    },
  )
})
