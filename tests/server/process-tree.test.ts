import { expect, spyOn, test } from 'bun:test'
import { closeSync, copyFileSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { groupOf } from '../../src/server/sandbox/process-tree.ts'
import { ShellProcess } from '../../src/server/sandbox/shell-process.ts'
import { eventually } from './support.ts'

test('a process may be called like anything', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'names-'))
  try {
    const path = join(dir, 'x) Z 1 2 (3')
    copyFileSync(Bun.which('sleep') ?? '', path)
    const child = Bun.spawn([path, '60'], { detached: true })
    expect(groupOf(child.pid)).toBe(child.pid)
    child.kill('SIGKILL')
    await child.exited
    expect(groupOf(child.pid)).toBe(null)
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test('a process that is dead, and not asked for, is none', async () => {
  // It ends when its parent has become a program that asks for nobody.
  const parent = Bun.spawn(['sh', '-c', 'sleep 0.3 & echo $!; exec sleep 60'])
  const { value } = await parent.stdout.getReader().read()
  const pid = Number(new TextDecoder().decode(value))
  const stateOf = () => readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.[0]
  expect(await eventually(() => stateOf() === 'Z')).toBe(true)
  expect(groupOf(pid)).toBe(null)
  parent.kill('SIGKILL')
  await parent.exited
})

test('what has ended is not killed: its number may be another’s by now', async () => {
  const place = { workspace: tmpdir(), owner: null }
  const kind = { isolation: { kind: 'none', run: crypto.randomUUID() }, place, network: false } as const
  const fd = openSync('/dev/null', 'r+')
  const ended = new ShellProcess(
    { ...kind, script: () => 'exit 3' },
    { stdout: fd, stderr: fd, commands: fd },
  )
  closeSync(fd)
  await ended.ended
  const kill = spyOn(process, 'kill')
  try {
    expect(await ended.kill()).toEqual({ exitCode: 3, signal: null })
    expect(kill).not.toHaveBeenCalled()
  } finally {
    kill.mockRestore()
  }
})
