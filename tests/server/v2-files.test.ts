import { describe, expect, test } from 'bun:test'
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { filesRoute } from '../../src/protocol/routes.ts'
import { startSandboxServer } from '../../src/server/start-server.ts'
import { wantedRange } from '../../src/server/v2/files/byte-range.ts'
import { scrape } from './scrape.ts'
import { baseUrl, bash, eventually, slotWorkspace, useSandboxes } from './support.ts'
import { batch, begun, command } from './v2-support.ts'

const openSandbox = useSandboxes()

async function opened() {
  const sandbox = await openSandbox({ slots: 2, isolation: 'none', limits: { fileBytes: 1_000_000 } })
  const workspace = await slotWorkspace(sandbox)
  const file = (path: string, init: RequestInit = {}) =>
    sandbox.handler(new Request(`${baseUrl}/files/slot_0/${path}`, init))
  const put = (path: string, body: BodyInit) => file(path, { method: 'PUT', body })
  return { sandbox, workspace, file, put }
}

const sha256 = (bytes: Uint8Array | string) => new Bun.CryptoHasher('sha256').update(bytes).digest('hex')
const bytes = crypto.getRandomValues(new Uint8Array(60_000))

describe('PUT', () => {
  test('writes the bytes as they are, makes parents, and tells their hash', async () => {
    const { workspace, put } = await opened()
    const answer = await put('a/b/f.bin', bytes)
    expect([answer.status, answer.headers.get('etag')]).toEqual([200, `"${sha256(bytes)}"`])
    expect(await answer.json()).toEqual({
      ...{ success: true, path: 'a/b/f.bin', bytes: 60_000, sha256: sha256(bytes) },
    })
    expect(new Uint8Array(readFileSync(join(workspace, 'a/b/f.bin')))).toEqual(bytes)
  })

  test('gives the memory of each piece back as soon as it is written', async () => {
    const { workspace, put } = await opened()
    const pieces = Array.from({ length: 4 }, (_, at) => new Uint8Array(1_000).fill(at))
    const sent = [...pieces]
    const held: number[] = []
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          const piece = sent.shift()
          held.push(pieces.filter(({ length }) => length > 0).length)
          if (piece === undefined) controller.close()
          else controller.enqueue(piece)
        },
      },
      { highWaterMark: 0 },
    )
    expect((await put('f', body)).status).toBe(200)
    expect(held).toEqual([4, 3, 2, 1, 0])
    expect(readFileSync(join(workspace, 'f'))).toEqual(
      Buffer.concat([0, 1, 2, 3].map((at) => Buffer.alloc(1_000, at))),
    )
  })

  test('takes names of all kinds as URLs write them', async () => {
    const { workspace, sandbox } = await opened()
    const name = 'a b/c#?%é.txt'
    const url = baseUrl + filesRoute('slot_0', name)
    await sandbox.handler(new Request(url, { method: 'PUT', body: 'x' }))
    expect(readFileSync(join(workspace, name), 'utf8')).toBe('x')
    expect(await (await sandbox.handler(new Request(url))).text()).toBe('x')
  })

  test('replaces a file in one step and keeps its mode', async () => {
    const { workspace, put } = await opened()
    writeFileSync(join(workspace, 'run.sh'), 'old', { mode: 0o755 })
    const before = statSync(join(workspace, 'run.sh')).ino
    await put('run.sh', 'new')
    expect(readFileSync(join(workspace, 'run.sh'), 'utf8')).toBe('new')
    expect(statSync(join(workspace, 'run.sh')).mode & 0o777).toBe(0o755)
    expect(statSync(join(workspace, 'run.sh')).ino).not.toBe(before)
  })

  test('waits for the call that runs in the slot', async () => {
    const { sandbox, workspace, put } = await opened()
    const text = 'until [ -e go ]; do sleep 0.01; done; cat f 2>&1 || :'
    const running = batch(sandbox, [command('a', text)])
    await begun(sandbox, 1)
    const written = put('f', 'new')
    await Bun.sleep(50)
    writeFileSync(join(workspace, 'go'), '')
    expect((await running)[0]?.output).toContain('No such file')
    await written
    expect((await bash(sandbox, 'cat f')).output).toBe('new')
  })

  test('over the limit is refused, and leaves nothing', async () => {
    const { workspace, put } = await opened()
    const answer = await put('big', new Uint8Array(1_000_001))
    expect([answer.status, await answer.json()]).toMatchObject([413, { code: 'too_large' }])
    expect(readdirSync(workspace)).toEqual([])
    expect(readdirSync(join(workspace, '../.sandbox-slots/trash'))).toEqual([])
  })

  test.each(['with its length', 'in chunks'])(
    'of a body that is cut changes nothing, and is no fault of the server: %s',
    async (kind) => {
      await using server = await startSandboxServer({ slots: 1, isolation: 'none' })
      const slots = await (await fetch(`${server.url}/slots`)).json()
      const workspace: string = slots.slots[0].workspace_dir
      writeFileSync(join(workspace, 'f'), 'old')
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
      const how =
        kind === 'in chunks'
          ? 'Transfer-Encoding: chunked\r\n\r\n3\r\nnew\r\n'
          : 'Content-Length: 9\r\n\r\nnew'
      socket.write(`PUT /files/slot_0/f HTTP/1.1\r\nHost: ${server.addr}\r\n${how}`)
      const trash = join(workspace, '../.sandbox-slots/trash')
      expect(await eventually(() => readdirSync(trash).length === 1)).toBe(true)
      socket.destroy()
      expect(await eventually(() => readdirSync(trash).length === 0)).toBe(true)
      expect(readFileSync(join(workspace, 'f'), 'utf8')).toBe('old')
      const answered = async (status: number) => {
        const samples = scrape(await (await fetch(`${server.url}/metrics`)).text())
        return samples.get(`sandbox_slots_http_requests_total{route="/files",status="${status}"}`)
      }
      // The client's doing, not the server's.
      expect([await answered(400), await answered(500)]).toEqual([1, undefined])
    },
  )
})

describe('GET', () => {
  test('gives the bytes as they are, their hash as ETag, and nothing that a browser would show', async () => {
    const { workspace, file } = await opened()
    writeFileSync(join(workspace, 'page.html'), bytes)
    const answer = await file('page.html')
    expect(answer.status).toBe(200)
    expect(answer.headers.get('etag')).toBe(`"${sha256(bytes)}"`)
    expect(answer.headers.get('content-type')).toBe('application/octet-stream')
    expect(answer.headers.get('content-disposition')).toBe('attachment')
    expect(await answer.bytes()).toEqual(bytes)
  })

  test('of an empty file gives none', async () => {
    const { workspace, file } = await opened()
    writeFileSync(join(workspace, 'f'), '')
    const answer = await file('f')
    expect([answer.status, await answer.text()]).toEqual([200, ''])
    expect((await file('f', { headers: { range: 'bytes=0-' } })).status).toBe(416)
  })

  test('does not wait for the call that runs in the slot', async () => {
    const { sandbox, workspace, file } = await opened()
    const running = batch(sandbox, [command('a', 'until [ -e go ]; do sleep 0.01; done')])
    await begun(sandbox, 1)
    writeFileSync(join(workspace, 'log'), 'so far')
    expect(await (await file('log')).text()).toBe('so far')
    writeFileSync(join(workspace, 'go'), '')
    await running
  })

  test.each([
    ['bytes=0-9', 206, 'bytes 0-9/60000', [0, 10]],
    ['bytes=59990-', 206, 'bytes 59990-59999/60000', [59_990, 60_000]],
    ['bytes=-5', 206, 'bytes 59995-59999/60000', [59_995, 60_000]],
    ['bytes=10-999999', 206, 'bytes 10-59999/60000', [10, 60_000]],
    ['bytes=60000-', 416, 'bytes */60000', [0, 0]],
    ['bytes=-0', 416, 'bytes */60000', [0, 0]],
    ['bytes=0-1,5-6', 200, null, [0, 60_000]],
    ['lines=0-1', 200, null, [0, 60_000]],
    ['bytes=9-1', 200, null, [0, 60_000]],
  ])('a range: %s', async (range, status, contentRange, [from, to]) => {
    const { workspace, file } = await opened()
    writeFileSync(join(workspace, 'f'), bytes)
    const answer = await file('f', { headers: { range } })
    expect([answer.status, answer.headers.get('content-range')]).toEqual([status, contentRange])
    expect(await answer.bytes()).toEqual(bytes.slice(from, to))
  })

  test('a range of another version is not given: If-Range', async () => {
    const { workspace, file } = await opened()
    writeFileSync(join(workspace, 'f'), 'first')
    const etag = (await file('f')).headers.get('etag') ?? ''
    const ask = async () => (await file('f', { headers: { range: 'bytes=1-2', 'if-range': etag } })).text()
    expect(await ask()).toBe('ir')
    // Of the same size, within the same tick of the clock.
    writeFileSync(join(workspace, 'f'), 'other')
    expect(await ask()).toBe('other')
  })

  test('the hash is that of the file as it is, also when it was asked for long after the last change', async () => {
    const { workspace, file } = await opened()
    writeFileSync(join(workspace, 'f'), 'first')
    // From here on hashes are remembered.
    await Bun.sleep(1_050)
    const etag = async () => (await file('f')).headers.get('etag')
    expect([await etag(), await etag()]).toEqual([`"${sha256('first')}"`, `"${sha256('first')}"`])
    writeFileSync(join(workspace, 'f'), 'other')
    expect(await etag()).toBe(`"${sha256('other')}"`)
  })

  test('what the client has is not sent again, and HEAD sends nothing', async () => {
    const { workspace, file } = await opened()
    writeFileSync(join(workspace, 'f'), 'text')
    const etag = (await file('f')).headers.get('etag') ?? ''
    expect((await file('f', { headers: { 'if-none-match': etag } })).status).toBe(304)
    const head = await file('f', { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '4', ''])
  })
})

describe('paths', () => {
  test.each([
    ['missing', 404, 'not_found'],
    ['dir', 400, 'path_refused'],
    ['out/passwd', 403, 'path_refused'],
    ['%2fetc%2fpasswd', 403, 'path_refused'],
    ['..%2f..%2fsecret', 403, 'path_refused'],
    ['%00', 400, 'invalid_request'],
    ['%zz', 400, 'invalid_request'],
    ['', 400, 'invalid_request'],
  ])('%j is refused', async (path, status, code) => {
    const { workspace, file, put } = await opened()
    mkdirSync(join(workspace, 'dir'))
    symlinkSync('/etc', join(workspace, 'out'))
    const got = await file(path)
    expect([got.status, await got.json()]).toMatchObject([status, { success: false, code }])
    if (path === 'missing') return
    const written = await put(path, 'evil')
    expect(written.status).toBe(status)
    expect(readdirSync(workspace).sort()).toEqual(['dir', 'out'])
  })

  test('of a slot that is not there, and other methods', async () => {
    const { sandbox, file } = await opened()
    expect((await sandbox.handler(new Request(`${baseUrl}/files/slot_9/f`))).status).toBe(404)
    expect((await file('f', { method: 'POST', body: '' })).status).toBe(405)
  })
})

test('a range that nothing can be in', () => {
  expect(wantedRange('bytes=0-', 0)).toEqual({ kind: 'none' })
  expect(wantedRange(`bytes=${'9'.repeat(15)}-`, 5)).toEqual({ kind: 'none' })
  expect(wantedRange('bytes=-', 5)).toEqual({ kind: 'whole' })
})
