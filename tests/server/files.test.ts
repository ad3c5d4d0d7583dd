import { describe, expect, test } from 'bun:test'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { openBeneath, openByRealPath } from '../../src/server/files/open-beneath.ts'
import { PathError } from '../../src/server/files/path-error.ts'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { racePaths } from './path-races.ts'
import { execute, post, slotWorkspace, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

const outside = 'Access denied: path outside workspace'

async function open(): Promise<{ sandbox: Sandbox; workspace: string }> {
  const sandbox = await openSandbox({ isolation: 'none' })
  return { sandbox, workspace: await slotWorkspace(sandbox) }
}

/** Everything that points out of the workspace, or is no regular file, as a tool call could have left it there. */
async function withTraps() {
  const { sandbox, workspace } = await open()
  const secret = join(workspace, '..', 'secret')
  writeFileSync(secret, 'hunter2')
  symlinkSync(secret, join(workspace, 'absolute'))
  symlinkSync('../secret', join(workspace, 'relative'))
  symlinkSync('absolute', join(workspace, 'chain'))
  symlinkSync('..', join(workspace, 'up'))
  symlinkSync('/proc/self/root', join(workspace, 'magic'))
  symlinkSync('loop', join(workspace, 'loop'))
  symlinkSync('/dev/zero', join(workspace, 'zero'))
  symlinkSync('/workspace/file', join(workspace, 'seen-from-inside'))
  await Bun.$`mkfifo ${join(workspace, 'fifo')}; mkdir ${join(workspace, 'directory')}`
  writeFileSync(join(workspace, 'file'), 'fine')
  symlinkSync('file', join(workspace, 'inside'))
  return { sandbox, workspace, secret }
}

const escapes: readonly string[] = [
  '..',
  '../secret',
  '../../../../../../../etc/passwd',
  'directory/../../secret',
  '/etc/passwd',
  '/',
  '//etc/passwd',
  '/proc/self/environ',
  'absolute',
  'relative',
  'chain',
  'up/secret',
  'up/slot_1/file',
  'magic/etc/passwd',
  'loop',
  'zero',
  'seen-from-inside',
]

test('a path that goes up and down again is found while others rename: the kernel is asked again', async () => {
  const { workspace } = await withTraps()
  const source = `
    const { renameSync } = require('node:fs')
    renameSync(process.argv[1], process.argv[2])
    console.log('begun')
    for (let at = 0; ; at++) {
      renameSync(process.argv[2 - (at % 2)], process.argv[1 + (at % 2)])
      for (const until = performance.now() + 0.02; performance.now() < until; );
    }`
  const names = ['a', 'b'].map((name) => join(workspace, '..', name))
  mkdirSync(names[0] ?? '')
  await using renamer = Bun.spawn([process.execPath, '-e', source, ...names], { stdout: 'pipe' })
  await renamer.stdout.getReader().read()
  const failures: unknown[] = []
  for (let look = 0; look < 20_000; look++) {
    try {
      using _found = openBeneath(workspace, 'directory/../file', 'look')
    } catch (thrown) {
      failures.push(thrown)
    }
  }
  expect([failures.length, failures[0]]).toEqual([0, undefined])
})

test('paths may be absolute, as a command sees its workspace', async () => {
  const { sandbox, workspace } = await withTraps()
  for (const root of ['/workspace', workspace]) {
    const at = (name: string) => `${root}/${name}`
    const { output } = await execute(sandbox, 'write_file', { path: at('new/file'), content: root })
    expect(output).toStartWith('Successfully wrote')
    expect(readFileSync(join(workspace, 'new/file'), 'utf8')).toBe(root)
    expect((await execute(sandbox, 'read_file', { path: at('/new//file') })).output).toBe(root)
    for (const path of [root, at(''), at('new')]) {
      const list = await post(sandbox, '/artifacts/list', { slot_id: 'slot_0', path, recursive: true })
      expect(JSON.stringify(await list.json())).toContain('"new/file"')
    }
    for (const path of [
      at('../secret'),
      at('up/secret'),
      at('absolute'),
      `${root}0`,
      at('magic/etc/passwd'),
    ]) {
      const read = await execute(sandbox, 'read_file', { path })
      const write = await execute(sandbox, 'write_file', { path, content: 'evil' })
      expect([path, read.error, write.error]).toEqual([path, outside, outside])
    }
  }
})

describe('paths that lead outside', () => {
  test('are refused by read_file, write_file and the artifact routes', async () => {
    const { sandbox, secret } = await withTraps()
    for (const path of escapes) {
      const read = await execute(sandbox, 'read_file', { path })
      const write = await execute(sandbox, 'write_file', { path, content: 'evil' })
      expect([path, read.error, write.error]).toEqual([path, outside, outside])
      for (const route of ['read', 'list', 'archive']) {
        const answer = await post(sandbox, `/artifacts/${route}`, { slot_id: 'slot_0', path })
        expect([path, answer.status, await answer.json()]).toEqual([
          path,
          403,
          { success: false, error: outside },
        ])
      }
    }
    expect(readFileSync(secret, 'utf8')).toBe('hunter2')
  })

  test('are refused as the parents of a new file, and nothing is made there', async () => {
    const { sandbox, workspace } = await withTraps()
    for (const path of ['up/new', 'up/new/file', '../new/file', 'magic/tmp/new', 'up/../new/../../new']) {
      const { error } = await execute(sandbox, 'write_file', { path, content: 'evil' })
      expect([path, error]).toEqual([path, outside])
    }
    expect(readdirSync(join(workspace, '..')).sort()).toEqual([
      '.sandbox-slots',
      '.sandbox-slots-ledger',
      '.sandbox-slots.lock',
      'secret',
      'slot_0',
      'slot_1',
    ])
  })

  test('are refused on systems without openat2 too', async () => {
    const { workspace } = await withTraps()
    for (const path of escapes.filter((path) => !path.startsWith('/') && path !== 'seen-from-inside')) {
      expect(() => openByRealPath(workspace, path, 'read')).toThrow(PathError)
    }
    using file = openByRealPath(workspace, 'inside', 'read')
    expect(file.realPath).toBe(join(workspace, 'file'))
  })
})

describe('what is no regular file', () => {
  test('is refused at once: a FIFO blocks nobody', async () => {
    const { sandbox } = await withTraps()
    for (const path of ['fifo', 'directory', '.', '']) {
      const read = await execute(sandbox, 'read_file', { path })
      const write = await execute(sandbox, 'write_file', { path, content: 'x' })
      expect([read.error, write.error]).toEqual([`Not a file: ${path}`, `Not a file: ${path}`])
    }
    const { error } = await execute(sandbox, 'write_file', { path: 'file/below', content: 'x' })
    expect(error).toBe('Not a directory: file/below')
  })
})

describe('text that is no path', () => {
  test.each([
    [{ path: 'a\0b' }, 'args.path must not contain NUL'],
    [{ path: '\ud800' }, 'args.path must not contain lone surrogates'],
    [{ path: 7 }, 'args.path must be a string'],
    [{ path: 'x', content: '\udfff' }, 'args.content must not contain lone surrogates'],
  ])('%j', async (args, error) => {
    const { sandbox } = await open()
    const body = { slot_id: 'slot_0', tool: 'write_file', args: { content: '', ...args } }
    const response = await post(sandbox, '/execute', body)
    expect([response.status, await response.json()]).toEqual([400, { success: false, error }])
  })

  test('content may hold NUL, and a name 255 bytes', async () => {
    const { sandbox } = await open()
    const path = 'x'.repeat(255)
    await execute(sandbox, 'write_file', { path, content: 'a\0b' })
    expect((await execute(sandbox, 'read_file', { path })).output).toBe('a\0b')
    const { error } = await execute(sandbox, 'write_file', { path: `${path}x`, content: '' })
    expect(error).toBe(`File name too long: ${path}x`)
  })
})

describe('writing', () => {
  test('keeps the mode, goes through a symlink that stays inside, and leaves no temporary file', async () => {
    const { sandbox, workspace } = await withTraps()
    const before = readdirSync(workspace).sort()
    chmodSync(join(workspace, 'file'), 0o755)
    const { metadata } = await execute(sandbox, 'write_file', { path: 'inside', content: 'new' })
    expect(metadata).toEqual({ path: join(workspace, 'file'), size: 3 })
    expect(readFileSync(join(workspace, 'file'), 'utf8')).toBe('new')
    expect(statSync(join(workspace, 'file')).mode & 0o777).toBe(0o755)
    expect(readdirSync(workspace).sort()).toEqual(before)
  })

  test('is atomic: who has the old file open, or linked, keeps it whole', async () => {
    const { sandbox, workspace } = await open()
    await execute(sandbox, 'write_file', { path: 'a', content: 'old' })
    await Bun.$`ln ${join(workspace, 'a')} ${join(workspace, 'b')}`
    await execute(sandbox, 'write_file', { path: 'a', content: 'new' })
    expect((await execute(sandbox, 'read_file', { path: 'b' })).output).toBe('old')
    expect((await execute(sandbox, 'read_file', { path: 'a' })).output).toBe('new')
  })

  test('counts characters, as base servers do', async () => {
    const { sandbox } = await open()
    const fits = await execute(sandbox, 'write_file', { path: 'a', content: '😀'.repeat(100_000) })
    expect(fits.output).toBe('Successfully wrote 100000 bytes to a')
    const long = await execute(sandbox, 'write_file', { path: 'a', content: '😀'.repeat(100_001) })
    expect(long.error).toBe('Content too large: 100001 bytes (max 100000)')
  })
})

test('read_file gives the first 100,000 bytes, whole characters, and says so', async () => {
  const { sandbox, workspace } = await open()
  writeFileSync(join(workspace, 'long'), `x${'é'.repeat(60_000)}`)
  const { success, output, metadata } = await execute(sandbox, 'read_file', { path: 'long' })
  expect([success, output.length, output.at(-1)]).toEqual([true, 50_000, 'é'])
  expect(metadata).toEqual({ path: join(workspace, 'long'), size: 120_001, truncated: true })
})

test.skipIf(process.platform !== 'linux')('no race of symlinks leads outside', async () => {
  const { sandbox, workspace } = await open()
  const until = performance.now() + 1_500
  // On and on until both were seen: what is inside, and a refusal.
  const tally = await racePaths(sandbox, workspace, ({ inside, refused }) => {
    return performance.now() > until && inside > 0 && refused > 0
  })
  expect(tally).toMatchObject({ escapes: 0, others: new Map() })
})

test('what a call made unreadable is deleted by a reset all the same', async () => {
  const { sandbox, workspace } = await open()
  await Bun.$`mkdir -p ${join(workspace, 'a/b')}; chmod 000 ${join(workspace, 'a')}`
  const response = await post(sandbox, '/reset', { slot_id: 'slot_0' })
  expect(await response.json()).toMatchObject({ success: true })
  expect(readdirSync(workspace)).toEqual([])
})

test('a reset that fails says why, and the next one mends it', async () => {
  const { sandbox, workspace } = await open()
  const trash = join(workspace, '../.sandbox-slots/trash')
  renameSync(trash, `${trash}-away`)
  writeFileSync(trash, 'no directory')
  const failedReset = await (await post(sandbox, '/reset', { slot_id: 'slot_0' })).json()
  expect(failedReset).toMatchObject({
    success: false,
    error: expect.stringMatching(/^Cannot reset slot_0: ENOTDIR/),
  })
  rmSync(trash)
  renameSync(`${trash}-away`, trash)
  rmSync(workspace, { recursive: true })
  expect(await (await post(sandbox, '/reset', { slot_id: 'slot_0' })).json()).toMatchObject({ success: true })
  expect(readdirSync(workspace)).toEqual([])
})
