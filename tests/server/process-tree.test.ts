import { expect, test } from 'bun:test'
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { groupOf } from '../../src/server/sandbox/process-tree.ts'

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
