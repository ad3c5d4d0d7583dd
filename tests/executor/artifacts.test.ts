import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { artifactBytes, SandboxUsageError } from '../../mod.ts'
import { type ReceivedPost, scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

function start() {
  const script = scripted()
  const slot = the(script.executor.slots('one:1', 1)[0])
  const answer = async (body: object, status = 200) => {
    await settled()
    the(script.posts.at(-1)).answer(Response.json(body, { status }))
  }
  return { script, slot, answer }
}

describe('readArtifact', () => {
  test('gives the text of a file', async () => {
    const { script, slot, answer } = start()
    await using _ = script
    const reading = slot.artifacts.read('a.txt', { maxBytes: 100 })
    await answer({ success: true, content: 'hé', encoding: 'text', bytes: 3, file_size: 3, path: 'a.txt' })
    expect(await reading).toEqual({
      success: true,
      httpStatus: 200,
      content: 'hé',
      encoding: 'text',
      truncated: false,
      bytes: 3,
      fileSize: 3,
      path: 'a.txt',
      mime: null,
      sha256: null,
    })
    expect(script.posts[0]).toMatchObject({
      route: '/artifacts/read',
      calls: [{ encoding: 'text', max_bytes: 100 }],
    })
  })

  test('checks the SHA-256 over the bytes that were sent, also of text that is no UTF-8', async () => {
    const { script, slot, answer } = start()
    await using _ = script
    const bytes = Uint8Array.of(0xff, 0x41)
    const body = { success: true, content: bytes.toBase64(), encoding: 'base64', bytes: 2, file_size: 2 }
    const reading = slot.artifacts.read('a.txt', { includeSha256: true })
    await answer({ ...body, sha256: sha256(bytes) })
    expect(await reading).toMatchObject({ success: true, content: '\ufffdA', encoding: 'text', bytes: 2 })
    expect(script.posts[0]).toMatchObject({ calls: [{ encoding: 'base64', include_sha256: true }] })
    const binary = slot.artifacts.read('a.txt', { includeSha256: true, encoding: 'base64' })
    await answer({ ...body, sha256: sha256(bytes) })
    expect(artifactBytes(await binary)).toEqual(bytes)
  })

  test.each([
    ['another hash', 'aGk=', sha256(Uint8Array.of(1))],
    ['no hash', 'aGk=', null],
    ['no base64', '%%%', sha256(Uint8Array.of(1))],
  ])('does not hand out what it cannot trust: %s', async (_, content, hash) => {
    const { script, slot, answer } = start()
    await using __ = script
    const reading = slot.artifacts.read('a.txt', { includeSha256: true })
    await answer({ success: true, content, encoding: 'base64', sha256: hash })
    expect(await reading).toMatchObject({ success: false, content: '', failure: { code: 'bad-response' } })
  })

  test('tells what the server says, with its status', async () => {
    const { script, slot, answer } = start()
    await using _ = script
    const reading = slot.artifacts.read('q')
    await answer({ success: false, error: 'Not found: q' }, 404)
    const result = await reading
    expect(result).toMatchObject({ success: false, httpStatus: 404, error: 'Not found: q' })
    expect(result.failure).toBeUndefined()
  })

  test('tells what the infrastructure did; httpStatus is missing when no answer came', async () => {
    const { script, slot } = start()
    await using _ = script
    const reading = slot.artifacts.read('q')
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await settled()
      the(script.posts[attempt]).fail(new Error('cut'))
      await settled()
      script.clock.increment(5_000)
    }
    const result = await reading
    expect(result).toMatchObject({
      success: false,
      error: 'Failed after 3 attempts: cut (container http://one:1)',
      failure: { code: 'unreachable', attempts: 3 },
    })
    expect('httpStatus' in result).toBe(false)
  })

  test.each([
    ['before it began', (post: ReceivedPost) => post.fail(new Error('reset'))],
    [
      'on the way',
      (post: ReceivedPost) => {
        const start = (controller: ReadableStreamDefaultController) => controller.error(new Error('reset'))
        post.answer(new Response(new ReadableStream({ start })))
      },
    ],
  ])('asks a base server again for an answer that was cut %s: reading changes nothing', async (_, cut) => {
    const { script, slot } = start()
    await using _script = script
    const reading = slot.artifacts.list()
    await settled()
    cut(the(script.posts[0]))
    await settled()
    script.clock.increment(5_000)
    await settled()
    the(script.posts[1]).answer(Response.json({ success: true, entries: [], truncated: false }))
    expect(await reading).toMatchObject({ success: true, entries: [] })
  })
})

test('listArtifacts and archiveArtifacts', async () => {
  const { script, slot, answer } = start()
  await using _ = script
  const listing = slot.artifacts.list(undefined, { recursive: true, maxEntries: 5 })
  await answer({
    success: true,
    entries: [{ path: 'a', is_dir: true, size: 4, mtime: 1.5 }],
    truncated: true,
  })
  expect(await listing).toEqual({
    success: true,
    httpStatus: 200,
    entries: [{ path: 'a', isDir: true, size: 4, mtime: 1.5 }],
    truncated: true,
  })
  expect(script.posts[0]).toMatchObject({ calls: [{ path: '.', recursive: true, max_entries: 5 }] })
  const packing = slot.artifacts.archive('a', { format: 'tgz', maxBytes: 9 })
  await answer({
    success: true,
    content: 'aGk=',
    encoding: 'base64',
    format: 'tar.gz',
    bytes: 2,
    entry_count: 1,
  })
  const archive = await packing
  expect(archive).toMatchObject({ success: true, entryCount: 1, bytes: 2 })
  expect(new TextDecoder().decode(artifactBytes(archive))).toBe('hi')
})

test('artifact calls wait for the running call of the slot, and have its deadline', async () => {
  const { script, slot } = start()
  await using _ = script
  const running = slot.bash('x')
  const reading = slot.artifacts.read('a', { timeoutMs: 1_000 })
  await settled()
  expect(script.posts.map((post) => post.route)).toEqual(['/execute'])
  the(script.posts[0]).succeed()
  await running
  await settled()
  expect(script.posts.map((post) => post.route)).toEqual(['/execute', '/artifacts/read'])
  script.clock.increment(6_250)
  expect(await reading).toMatchObject({ success: false, failure: { code: 'deadline' } })
})

test.each([
  ['encoding', 'a', { encoding: 'hex' }],
  ['maxBytes', 'a', { maxBytes: 0 }],
  ['sha256', 'a', { sha256: true }],
  ['path', '', {}],
  ['path', 7, {}],
])('misuse of %s rejects', async (field, path, options) => {
  const { script, slot } = start()
  await using _ = script
  const error = await slot.artifacts
    .read(path as string, options as object)
    .catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(SandboxUsageError)
  expect(error).toMatchObject({ field })
})
