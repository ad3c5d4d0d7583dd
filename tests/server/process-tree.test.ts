import { expect, spyOn, test } from 'bun:test'
import { closeSync, copyFileSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { groupOf } from '../../src/server/sandbox/process-tree.ts'
import { ShellProcess } from '../../src/server/sandbox/shell-process.ts'

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
