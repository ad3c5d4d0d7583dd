/** A file is written whole or not at all, and belongs to whom the workspace belongs. */
import { describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { writeFileBeneath } from '../../src/server/files/write-file.ts'
import { createSandbox } from '../../src/server/sandbox.ts'
import { eventually, execute } from './support.ts'

const isRoot = process.getuid?.() === 0
const sandboxModule = resolve(import.meta.dir, '../../src/server/sandbox.ts')
const writeFileModule = resolve(import.meta.dir, '../../src/server/files/write-file.ts')

function place() {
  const directory = mkdtempSync(join(tmpdir(), 'writing-test-'))
  const [workspace, staged] = [join(directory, 'workspace'), join(directory, 'staging')]
  for (const path of [workspace, staged]) mkdirSync(path)
  const staging = { directory: staged, isSynced: true }
  return { workspace, staging, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) }
}

describe('a writer that is killed', () => {
  test('leaves the old file or the new one, whole, and nothing else in the workspace', async () => {
    using at = place()
    writeFileSync(join(at.workspace, 'f'), 'a'.repeat(100_000))
    const source = `
      const { writeFileBeneath } = await import(${JSON.stringify(writeFileModule)})
      const options = { staging: ${JSON.stringify(at.staging)}, owner: null }
      console.log('ready')
      for (let turn = 0; ; turn++) {
        await writeFileBeneath(${JSON.stringify(at.workspace)}, 'f', Buffer.alloc(100_000, 'ab'[turn % 2]), options)
      }`
    for (let kill = 0; kill < 12; kill++) {
      const writer = Bun.spawn([process.execPath, '-e', source], { stdout: 'pipe', stderr: 'inherit' })
      await writer.stdout.getReader().read()
      await Bun.sleep(kill * 1.3)
      writer.kill('SIGKILL')
      await writer.exited
      expect(readFileSync(join(at.workspace, 'f'), 'utf8')).toMatch(/^(a{100000}|b{100000})$/)
      expect(readdirSync(at.workspace)).toEqual(['f'])
    }
  })

  test('leaves nothing that the next server keeps', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'writing-test-'))
    try {
      const first = await createSandbox({ dataDir, slots: 1, isolation: 'none' })
      // Where writing stages its files; seen by watching one that cannot take its place.
      mkdirSync(join(dataDir, 'slot_0/taken/x'), { recursive: true })
      await execute(first, 'write_file', { path: 'kept', content: 'x' })
      await first.stop()
      const trash = join(dataDir, '.sandbox-slots/trash')
      mkdirSync(trash, { recursive: true })
      writeFileSync(join(trash, `${crypto.randomUUID()}.tmp`), 'half of it')
      const second = await createSandbox({ dataDir, slots: 1, isolation: 'none' })
      expect(await eventually(() => readdirSync(trash).length === 0)).toBe(true)
      await second.stop()
      expect(readdirSync(join(dataDir, 'slot_0')).sort()).toEqual(['kept', 'taken'])
    } finally {
      rmSync(dataDir, { recursive: true })
    }
  })
})

test.each([
  ['that stays', '{ dataDir: process.argv[1] }', 1],
  ['that goes with the server', '{}', 0],
])('what is written to a data directory %s is synced so often: %s, %i', async (_kind, options, count) => {
  using at = place()
  const source = `
    const fs = require('node:fs')
    const { fsync } = fs
    let syncs = 0
    fs.fsync = (...given) => {
      syncs += 1
      fsync(...given)
    }
    const { createSandbox } = await import(${JSON.stringify(sandboxModule)})
    const sandbox = await createSandbox({ ...${options}, slots: 1, isolation: 'none' })
    const call = { slot_id: 'slot_0', tool: 'write_file', args: { path: 'f', content: 'x' } }
    const request = new Request('http://127.0.0.1/execute', { method: 'POST', body: JSON.stringify(call) })
    const { success } = await (await sandbox.handler(request)).json()
    console.log(success, syncs)
    await sandbox.stop()`
  const writer = Bun.spawn([process.execPath, '-e', source, at.workspace], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  expect(await new Response(writer.stdout).text()).toBe(`true ${count}\n`)
})

test('a write that fails leaves the old file, and nothing staged', async () => {
  using at = place()
  mkdirSync(join(at.workspace, 'directory'))
  const attempt = writeFileBeneath(at.workspace, 'directory', Buffer.from('x'), { ...at, owner: null })
  await expect(attempt).rejects.toThrow('Not a file: directory')
  rmSync(at.staging.directory, { recursive: true })
  writeFileSync(join(at.workspace, 'f'), 'old')
  await expect(
    writeFileBeneath(at.workspace, 'f', Buffer.from('x'), { ...at, owner: null }),
  ).rejects.toThrow()
  expect(readFileSync(join(at.workspace, 'f'), 'utf8')).toBe('old')
  mkdirSync(at.staging.directory)
})

test.skipIf(!isRoot)('files and new directories belong to the owner of the workspace', async () => {
  using at = place()
  const owner = { uid: 54_321, gid: 54_322 }
  mkdirSync(join(at.workspace, 'old'))
  await writeFileBeneath(at.workspace, 'old/new/er/f', Buffer.from('x'), { ...at, owner })
  const ownersOf = (path: string) => {
    const { uid, gid, mode } = statSync(join(at.workspace, path))
    return [uid, gid, (mode & 0o7777).toString(8)]
  }
  expect(['old', 'old/new', 'old/new/er', 'old/new/er/f'].map(ownersOf)).toEqual([
    [0, 0, '755'],
    [54_321, 54_322, '755'],
    [54_321, 54_322, '755'],
    [54_321, 54_322, '644'],
  ])
})
