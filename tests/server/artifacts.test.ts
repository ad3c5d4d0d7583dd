import { describe, expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { extract } from 'tar-stream'
import * as v from 'valibot'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { baseUrl, post, slotWorkspace, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

async function withTree(): Promise<{ sandbox: Sandbox; workspace: string }> {
  const sandbox = await openSandbox({ isolation: 'none' })
  const workspace = await slotWorkspace(sandbox)
  mkdirSync(join(workspace, 'a/b'), { recursive: true })
  writeFileSync(join(workspace, 'a/1.txt'), '1\n')
  writeFileSync(join(workspace, 'a/b/2.sh'), '2\n', { mode: 0o755 })
  symlinkSync('1.txt', join(workspace, 'a/in-link'))
  symlinkSync('b', join(workspace, 'a/in-directory'))
  symlinkSync('/etc/passwd', join(workspace, 'a/out-link'))
  symlinkSync('..', join(workspace, 'a/b/cycle'))
  await Bun.$`mkfifo ${join(workspace, 'a/fifo')}`
  return { sandbox, workspace }
}

async function ask(sandbox: Sandbox, route: string, body: object) {
  const response = await post(sandbox, `/artifacts/${route}`, { slot_id: 'slot_0', ...body })
  return { status: response.status, body: v.parse(v.record(v.string(), v.unknown()), await response.json()) }
}

async function unpack(base64: unknown): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  const extraction = extract()
  const unpacked = pipeline([Buffer.from(v.parse(v.string(), base64), 'base64')], createGunzip(), extraction)
  for await (const entry of extraction) {
    const chunks: Uint8Array[] = []
    for await (const chunk of entry) chunks.push(v.parse(v.instance(Uint8Array), chunk))
    files[entry.header.name] = `${(entry.header.mode ?? 0).toString(8)} ${Buffer.concat(chunks).toString()}`
  }
  await unpacked
  return files
}

describe('an archive', () => {
  test('holds the files, and what symlinks inside lead to, and nothing from outside', async () => {
    const { sandbox } = await withTree()
    const { body } = await ask(sandbox, 'archive', { path: 'a', format: 'tgz' })
    expect(body).toMatchObject({ success: true, encoding: 'base64', format: 'tar.gz', entry_count: 3 })
    expect(await unpack(body.content)).toEqual({
      'a/1.txt': '644 1\n',
      'a/in-link': '644 1\n',
      'a/b/2.sh': '755 2\n',
    })
  })

  test('is unpacked by tar', async () => {
    const { sandbox } = await withTree()
    const { body } = await ask(sandbox, 'archive', { path: '.' })
    const listed = Bun.spawn(['tar', 'tzf', '-'], {
      stdin: Buffer.from(v.parse(v.string(), body.content), 'base64'),
    })
    expect(await new Response(listed.stdout).text()).toBe('a/1.txt\na/in-link\na/b/2.sh\n')
  })

  test('of one file holds that file', async () => {
    const { sandbox } = await withTree()
    const { body } = await ask(sandbox, 'archive', { path: 'a/b/2.sh' })
    expect(await unpack(body.content)).toEqual({ 'a/b/2.sh': '755 2\n' })
  })

  test('that is too large is counted to its end, with bounded memory, while /health answers', async () => {
    const { sandbox, workspace } = await withTree()
    // Random bytes do not compress, nor do the same 64 KiB again, beyond the 32 that gzip looks back.
    const chunk = crypto.getRandomValues(new Uint8Array(65_536))
    const writer = Bun.file(join(workspace, 'random')).writer()
    for (let at = 0; at < 2_000; at++) writer.write(chunk)
    await writer.end()
    const order: string[] = []
    const archive = ask(sandbox, 'archive', { path: '.' }).then((answer) => {
      order.push('archive')
      return answer
    })
    const before = process.memoryUsage.rss()
    for (let times = 0; times < 20; times++) {
      await sandbox.handler(new Request(`${baseUrl}/health`))
      order.push('health')
    }
    const { status, body } = await archive
    expect(order.at(-1)).toBe('archive')
    const bytes = v.parse(v.number(), body.bytes)
    expect(bytes).toBeGreaterThan(131_072_000)
    expect([status, body.error]).toEqual([413, `Archive too large: ${bytes} bytes (max 5000000)`])
    // The campaign measures closely; here the collector may be late on a busy machine.
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000)
  })

  test('of a file of holes, larger than any disk, is refused without packing it', async () => {
    const { sandbox, workspace } = await withTree()
    writeFileSync(join(workspace, 'holes'), '')
    truncateSync(join(workspace, 'holes'), 2 ** 42)
    const { status, body } = await ask(sandbox, 'archive', { path: 'holes' })
    expect(status).toBe(413)
    expect(body.error).toBe('Archive too large: more than 2147483648 bytes before compression')
  })

  test('of too many files is refused', async () => {
    const { sandbox } = await withTree()
    const { status, body } = await ask(sandbox, 'archive', { path: '.', max_entries: 2 })
    expect([status, body.error]).toEqual([413, 'Too many entries: more than 2 (max 2)'])
  })
})

describe('a listing', () => {
  test('has symlinks that stay inside under their own names, and enters none', async () => {
    const { sandbox } = await withTree()
    const { body } = await ask(sandbox, 'list', { recursive: true })
    const entries = v.parse(v.array(v.looseObject({ path: v.string(), is_dir: v.boolean() })), body.entries)
    expect(entries.map((entry) => entry.path + (entry.is_dir ? '/' : ''))).toEqual([
      'a/',
      'a/b/',
      'a/in-directory/',
      'a/1.txt',
      'a/in-link',
      'a/b/cycle/',
      'a/b/2.sh',
    ])
  })

  test('of 100 entries is cut at the limit', async () => {
    const { sandbox, workspace } = await withTree()
    for (let index = 100; index < 200; index++) writeFileSync(join(workspace, `a/b/${index}`), '')
    const { body } = await ask(sandbox, 'list', { path: 'a/b', max_entries: 3 })
    expect(body).toMatchObject({
      truncated: true,
      entries: [{ path: 'a/b/100' }, { path: 'a/b/101' }, { path: 'a/b/102' }],
    })
  })
})

describe('a read', () => {
  test('knows the type by the name, and hashes what it gives', async () => {
    const { sandbox, workspace } = await withTree()
    for (const name of ['x.json', 'x.png', 'x.unheard-of']) writeFileSync(join(workspace, name), 'x')
    const answers = ['x.json', 'x.png', 'x.unheard-of'].map((path) => ask(sandbox, 'read', { path }))
    expect((await Promise.all(answers)).map(({ body }) => body.mime)).toEqual([
      'application/json',
      'image/png',
      null,
    ])
    const { body } = await ask(sandbox, 'read', { path: 'a/1.txt', include_sha256: true })
    expect(body.sha256).toBe(new Bun.CryptoHasher('sha256').update('1\n').digest('hex'))
    expect(body).toMatchObject({ content: '1\n', truncated: false })
  })

  test('gives at most 5,000,000 bytes, whatever is asked for', async () => {
    const { sandbox, workspace } = await withTree()
    writeFileSync(join(workspace, 'long'), 'x'.repeat(5_000_001))
    const { body } = await ask(sandbox, 'read', { path: 'long', max_bytes: 9_000_000 })
    expect(body).toMatchObject({ truncated: true, bytes: 5_000_000, file_size: 5_000_001 })
  })
})

test.each([
  ['read', { path: 'a\0' }, 'path must not contain NUL'],
  ['read', { max_bytes: 0 }, 'max_bytes must be an integer above 0'],
  ['read', { include_sha256: 'yes' }, 'include_sha256 must be true or false'],
  ['list', { max_entries: '5' }, 'max_entries must be an integer above 0'],
  ['list', { path: 7 }, 'path must be a string'],
  ['archive', { max_bytes: 1.5 }, 'max_bytes must be an integer above 0'],
])('%s refuses %j', async (route, fields, error) => {
  const { sandbox } = await withTree()
  expect(await ask(sandbox, route, fields)).toEqual({ status: 400, body: { success: false, error } })
})

test('waits for its slot: a file that a command writes is there', async () => {
  const { sandbox } = await withTree()
  const args = { command: 'sleep 0.2; echo late > late.txt' }
  const command = post(sandbox, '/execute', { slot_id: 'slot_0', tool: 'bash', args })
  const { body } = await ask(sandbox, 'read', { path: 'late.txt' })
  expect(body.content).toBe('late\n')
  await command
})
