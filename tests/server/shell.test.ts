/** What is a command's, of all that its shell prints; and that half a command is never run. */
import { describe, expect, test } from 'bun:test'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shellScript } from '../../src/server/sandbox/inside.ts'
import { Shell } from '../../src/server/sandbox/shell.ts'
import type { ShellEnd, ShellTree } from '../../src/server/sandbox/shell-process.ts'
import { eventually } from './support.ts'

/** A shell that is this test: it says what is printed. */
function played() {
  const ended = Promise.withResolvers<ShellEnd>()
  const tree: ShellTree = {
    ...{ isSandbox: true, isKilled: false, said: '' },
    ...{ ended: ended.promise, kill: () => ended.promise },
  }
  const ours = { stdout: -1, stderr: -1, commands: -1 }
  const make = ({ stdout, stderr, commands }: typeof ours) => {
    ours.stdout = openSync(`/proc/self/fd/${stdout}`, 'w')
    ours.stderr = openSync(`/proc/self/fd/${stderr}`, 'w')
    ours.commands = openSync(`/proc/self/fd/${commands}`, 'r')
    return tree
  }
  const isolation = { kind: 'none', run: crypto.randomUUID() } as const
  const shell = new Shell(isolation, { workspace: '/nowhere', owner: null }, false, { make })
  const told: string[] = []
  shell.give('a command', {
    onOutput: (stream, piece) => told.push(`${stream} ${Buffer.from(piece).toString()}`),
  })
  const say = (stream: 'stdout' | 'stderr', text: string) => writeSync(ours[stream], text)
  const end = async () => {
    for (const fd of Object.values(ours)) closeSync(fd)
    ended.resolve({ exitCode: 0, signal: null })
    await shell.ended
  }
  return { shell, told, say, end }
}

describe('what a shell prints', () => {
  test('is the command’s after both marks; on stderr all of it, told when the command is known to run', async () => {
    const { shell, told, say, end } = played()
    say('stderr', 'early')
    expect(await eventually(() => shell.stderr.bytes === 5)).toBe(true)
    expect(told).toEqual([])
    say('stdout', 'R')
    expect(await shell.ready).toBe(true)
    say('stdout', 'Tout')
    expect(await eventually(() => told.length === 2)).toBe(true)
    say('stderr', 'late')
    expect(await eventually(() => told.length === 3)).toBe(true)
    expect(told).toEqual(['stderr early', 'stdout out', 'stderr late'])
    await end()
    expect([shell.stdout.head, shell.stderr.head, shell.hasTaken]).toEqual(['out', 'earlylate', true])
  })

  test.each(['T', 'TR', 'noise', 'R'])('is nobody’s without the marks: %s', async (text) => {
    const { shell, told, say, end } = played()
    say('stdout', text)
    await end()
    expect([shell.hasTaken, shell.stdout.bytes, told]).toEqual([false, 0, []])
  })
})

describe('what a shell reads', () => {
  const run = (commands: string) => {
    const dir = mkdtempSync(join(tmpdir(), 'commands-'))
    writeFileSync(join(dir, 'commands'), commands)
    const fd = openSync(join(dir, 'commands'), 'r')
    const argv = ['bash', '-c', shellScript(null)]
    const { exitCode, stdout, stderr } = Bun.spawnSync(argv, { stdio: ['ignore', 'pipe', 'pipe', fd] })
    closeSync(fd)
    rmSync(dir, { recursive: true })
    return [exitCode, stdout.toString(), stderr.toString()]
  }

  test('is a command of the length that was told', () => {
    expect(run('9\necho a; b')).toEqual([127, 'RTa\n', expect.stringContaining('b')])
    expect(run('6\necho a; b')).toEqual([0, 'RTa\n', ''])
    expect(run('0\n')).toEqual([0, 'RT', ''])
  })

  test.each(['', '7', '7\n', '7\necho a', '9+\necho a'])(
    'is no command when it is cut, and nothing is said: %j',
    (commands) => {
      expect(run(commands)).toEqual([125, 'R', ''])
    },
  )
})
