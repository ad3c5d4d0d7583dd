/** Row 15 of the promises: whatever a tool call has left in its workspace, paths stay inside, and nothing blocks. */
import { describe, expect, test } from 'bun:test'
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeTree } from '../../src/server/files/remove-tree.ts'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { eventually, execute, post, slotWorkspace, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()
const outside = 'Access denied: path outside workspace'
const isRoot = process.getuid?.() === 0

async function open() {
  const sandbox = await openSandbox({ isolation: 'none' })
  const workspace = await slotWorkspace(sandbox)
  return { sandbox, workspace, secret: join(workspace, '../secret') }
}

async function errorsOf(sandbox: Sandbox, path: string) {
  const artifact = async (route: string) => {
    const { error } = await (await post(sandbox, `/artifacts/${route}`, { slot_id: 'slot_0', path })).json()
    return error
  }
  return {
    read: (await execute(sandbox, 'read_file', { path })).error,
    write: (await execute(sandbox, 'write_file', { path, content: 'evil' })).error,
    artifactRead: await artifact('read'),
    list: await artifact('list'),
    archive: await artifact('archive'),
  }
}

/** Waits for something, as the opening of a FIFO waits for its other end. */
function isAsleep(pid: number): boolean {
  return / S /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

function sameFor(error: string) {
  return { read: error, write: error, artifactRead: error, list: error, archive: error }
}

describe('what is no regular file is refused by name, and left alone:', () => {
  test('a FIFO, whose writer is not even woken', async () => {
    const { sandbox, workspace } = await open()
    const fifo = join(workspace, 'fifo')
    await Bun.$`mkfifo ${fifo}`
    const writer = Bun.spawn(['bash', '-c', `echo woken > ${fifo}`])
    try {
      await eventually(() => isAsleep(writer.pid))
      expect(await errorsOf(sandbox, 'fifo')).toEqual(sameFor('Not a file: fifo'))
      // Had anybody else opened it, its word would be lost.
      expect(await Bun.$`timeout 2 cat ${fifo}`.nothrow().text()).toBe('woken\n')
    } finally {
      writer.kill('SIGKILL')
      await writer.exited
    }
  })

  test('a socket', async () => {
    const { sandbox, workspace } = await open()
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(workspace, 'socket'), resolve))
    expect(await errorsOf(sandbox, 'socket')).toEqual(sameFor('Not a file: socket'))
    server.close()
  })

  test.skipIf(!isRoot)('a device', async () => {
    const { sandbox, workspace } = await open()
    const made = Bun.spawnSync(['mknod', join(workspace, 'zero'), 'c', '1', '5'])
    if (made.exitCode !== 0) return
    expect(await errorsOf(sandbox, 'zero')).toEqual(sameFor('Not a file: zero'))
  })

  test('and none of them is in a listing of its directory', async () => {
    const { sandbox, workspace } = await open()
    await Bun.$`mkfifo ${join(workspace, 'fifo')}`
    // A name that is no UTF-8 cannot be said in JSON.
    Bun.spawnSync(['bash', '-c', `touch $'${workspace}/\\xff\\xfe' ${workspace}/file`])
    for (const recursive of [true, false]) {
      const response = await post(sandbox, '/artifacts/list', { slot_id: 'slot_0', recursive })
      expect(await response.json()).toMatchObject({ success: true, entries: [{ path: 'file' }] })
    }
  })
})

describe('symlinks', () => {
  test('in a chain are followed inside, 40 of them, and none further', async () => {
    const { sandbox, workspace } = await open()
    writeFileSync(join(workspace, 'link-0'), 'end')
    for (let index = 1; index <= 60; index++)
      symlinkSync(`link-${index - 1}`, join(workspace, `link-${index}`))
    const { output } = await execute(sandbox, 'read_file', { path: 'link-39' })
    expect(output).toBe('end')
    const write = await execute(sandbox, 'write_file', { path: 'link-39', content: 'new' })
    expect([write.error, readFileSync(join(workspace, 'link-0'), 'utf8')]).toEqual(['', 'new'])
    expect(await errorsOf(sandbox, 'link-60')).toEqual(sameFor(outside))
  })

  test('that name nothing yet are written through, and nothing is made outside', async () => {
    const { sandbox, workspace, secret } = await open()
    mkdirSync(join(workspace, 'deep/er'), { recursive: true })
    symlinkSync('deep/er', join(workspace, 'directory'))
    symlinkSync('../made/file', join(workspace, 'deep/er/dangling'))
    await execute(sandbox, 'write_file', { path: 'directory/dangling', content: 'through' })
    expect(readFileSync(join(workspace, 'deep/made/file'), 'utf8')).toBe('through')
    expect(lstatSync(join(workspace, 'deep/er/dangling')).isSymbolicLink()).toBe(true)

    for (const target of [
      '../secret',
      secret,
      '../new/secret',
      `deep/../../${'secret'}`,
      '/proc/self/cwd/secret',
    ]) {
      await Bun.$`ln -sfn ${target} ${join(workspace, 'out')}`
      const { error } = await execute(sandbox, 'write_file', { path: 'out', content: 'evil' })
      expect([target, error]).toEqual([target, outside])
    }
    expect([existsSync(secret), existsSync(join(workspace, '../new'))]).toEqual([false, false])
  })
})

test('a hard link is read as the file that it is; writing makes a new file, and the other name keeps the old', async () => {
  const { sandbox, workspace, secret } = await open()
  writeFileSync(secret, 'old')
  linkSync(secret, join(workspace, 'hard'))
  expect((await execute(sandbox, 'read_file', { path: 'hard' })).output).toBe('old')
  await execute(sandbox, 'write_file', { path: 'hard', content: 'evil' })
  expect([readFileSync(secret, 'utf8'), readFileSync(join(workspace, 'hard'), 'utf8')]).toEqual([
    'old',
    'evil',
  ])
})

describe('a path', () => {
  test.each([
    ['of 256 bytes in one name', 'x'.repeat(256)],
    ['of 128 characters, 256 bytes, in one name', 'é'.repeat(128)],
    ['of 4,096 bytes', `${'d/'.repeat(2_047)}ff`],
    ['of 500,000 components', `${'d/'.repeat(500_000)}f`],
    ['of a million slashes before its last name', `d${'/'.repeat(1_000_000)}f`],
    ['of 250,000 steps up and down', `${'d/../'.repeat(200_000)}f`],
  ])('%s is refused, and nothing of it is made', async (_, path) => {
    const { sandbox, workspace } = await open()
    const shown = path.length > 300 ? `${path.slice(0, 300)}…` : path
    const errors = await errorsOf(sandbox, path)
    const told = `File name too long: ${shown}`
    expect([errors.read, errors.write, errors.artifactRead]).toEqual([told, told, told])
    expect(readdirSync(workspace)).toEqual([])
  })

  test('of 600 components is made, read, listed, packed, and deleted', async () => {
    const { sandbox, workspace } = await open()
    const path = `${'d/'.repeat(600)}f`
    expect((await execute(sandbox, 'write_file', { path, content: 'deep' })).error).toBe('')
    expect((await execute(sandbox, 'read_file', { path })).output).toBe('deep')
    const list = await post(sandbox, '/artifacts/list', { slot_id: 'slot_0', recursive: true })
    expect((await list.json()).entries).toHaveLength(601)
    const archive = await post(sandbox, '/artifacts/archive', { slot_id: 'slot_0' })
    expect(await archive.json()).toMatchObject({ entry_count: 1 })
    expect(await (await post(sandbox, '/reset', { slot_id: 'slot_0' })).json()).toMatchObject({
      success: true,
    })
    expect(readdirSync(workspace)).toEqual([])
  })

  // Bun's own rm takes 13 s for it, and goes with the square of the depth.
  test('of 1,950 components is deleted in the time of a test', async () => {
    const tree = mkdtempSync(join(tmpdir(), 'deep-test-'))
    mkdirSync(join(tree, 'd/'.repeat(1_950)), { recursive: true })
    await removeTree(tree)
    expect(existsSync(tree)).toBe(false)
  }, 10_000)

  test('may go down and up again, through what is not there yet', async () => {
    const { sandbox, workspace } = await open()
    await execute(sandbox, 'write_file', { path: 'a/../b//./c/../f', content: 'x' })
    expect(readFileSync(join(workspace, 'b/f'), 'utf8')).toBe('x')
    const { error } = await execute(sandbox, 'write_file', { path: 'b/../../secret', content: 'x' })
    expect(error).toBe(outside)
  })
})

test('a file keeps its permissions, but none to be another user', async () => {
  const { sandbox, workspace } = await open()
  await Bun.$`touch ${join(workspace, 'f')}; chmod 6751 ${join(workspace, 'f')}`
  await execute(sandbox, 'write_file', { path: 'f', content: 'x' })
  expect(statSync(join(workspace, 'f')).mode & 0o7777).toBe(0o751)
})
