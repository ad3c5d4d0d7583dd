/** Files of a workspace as streams, up and down. */
import { describe, expect, test } from 'bun:test'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createMemoryTransport,
  type Fetch,
  SandboxError,
  SandboxExecutor,
  SandboxUsageError,
} from '../../mod.ts'
import { scriptSha256, startSha256 } from '../../src/executor/sha256.ts'
import { extendedHealth } from '../support/answer-stream.ts'
import { startExtendedServer } from '../support/extended-server.ts'

const content = new TextEncoder().encode('héllo '.repeat(50_000))
const hash = (bytes: Uint8Array) => new Bun.CryptoHasher('sha256').update(bytes).digest('hex')

function pieces(): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = 0
  return new ReadableStream({
    pull: (controller) => {
      if (at >= content.length) controller.close()
      else controller.enqueue(content.slice(at, at + 10_000))
      at += 10_000
    },
  })
}

/** An executor whose container answers file requests as the test says. */
function answering(answer: Fetch) {
  const transport = createMemoryTransport((request) =>
    new URL(request.url).pathname === '/health' ? Promise.resolve(extendedHealth()) : answer(request),
  )
  const executor = new SandboxExecutor({ transport })
  return {
    slot: executor.slots('one:1', 1)[0],
    [Symbol.asyncDispose]: () => executor.close({ graceMs: 0 }),
  }
}

describe('up and down, the hash checked', () => {
  test.each([
    ['text', () => new TextDecoder().decode(content)],
    ['bytes', () => content],
    ['an ArrayBuffer', () => content.buffer.slice(0)],
    ['a Blob', () => new Blob([content])],
    ['a stream', pieces],
  ] as const)('%s', async (_, data) => {
    await using server = startExtendedServer()
    await using executor = new SandboxExecutor()
    const [slot] = executor.slots(server.url, 1)
    const up = await slot.upload('a b/ü.bin', data())
    expect(up).toEqual({
      success: true,
      httpStatus: 200,
      path: 'a b/ü.bin',
      bytes: content.length,
      sha256: hash(content),
    })
    const down = await slot.download('a b/ü.bin')
    expect(down).toMatchObject({ success: true, fileSize: content.length, sha256: hash(content) })
    expect(await new Response(down.body).bytes()).toEqual(content)
    expect(slot.state).toBe('idle')
  })

  test('a file that is missing is a result', async () => {
    await using server = startExtendedServer()
    await using executor = new SandboxExecutor()
    const down = await executor.slots(server.url, 1)[0].download('none')
    expect(down).toMatchObject({ success: false, httpStatus: 404, error: 'File not found', sha256: null })
    expect(await new Response(down.body).text()).toBe('')
    expect(down.failure).toBeUndefined()
  })

  test('they wait for the running call of the slot, and hold up the next', async () => {
    const go = Promise.withResolvers<void>()
    await using server = startExtendedServer({
      run: async () => {
        await go.promise
        return {}
      },
    })
    await using executor = new SandboxExecutor()
    const [slot] = executor.slots(server.url, 1)
    const order: string[] = []
    const calls = [
      slot.bash('x').then(() => order.push('bash')),
      slot.upload('x', 'x').then(() => order.push('upload')),
      slot.download('x').then(({ success }) => order.push(`download ${success}`)),
    ]
    go.resolve()
    await Promise.all(calls)
    expect(order).toEqual(['bash', 'upload', 'download true'])
  })
})

describe("what is uploaded stays its owner's", () => {
  test.each([
    ['bytes', content.slice()],
    ['an ArrayBuffer', content.slice().buffer],
    ['a Blob', new Blob([content])],
  ] as const)('%s', async (_, data) => {
    await using server = startExtendedServer()
    await using executor = new SandboxExecutor()
    const [slot] = executor.slots(server.url, 1)
    for (const path of ['once', 'twice']) await slot.upload(path, data)
    expect(await new Response(data).bytes()).toEqual(content)
    expect(await new Response((await slot.download('twice')).body).bytes()).toEqual(content)
  })

  test('others have their turns while the hash of a large file is made', async () => {
    const path = join(tmpdir(), `files-test-${crypto.randomUUID()}`)
    await using cleanup = new AsyncDisposableStack()
    cleanup.defer(() => rm(path, { force: true }))
    const file = Bun.file(path)
    await file.write(new Uint8Array(8_000_000))
    let turns = 0
    let timer: ReturnType<typeof setInterval> | undefined
    // Answers before anything is read: all that is left to do is the hash.
    await using script = answering(async () => {
      timer = setInterval(() => {
        turns += 1
      }, 0)
      const etag = `"${hash(new Uint8Array(8_000_000))}"`
      return Response.json({}, { headers: { etag } })
    })
    const up = await script.slot.upload('x', file)
    clearInterval(timer)
    expect(up.success).toBe(true)
    expect(turns).toBeGreaterThan(2)
  })
})

describe('what is not as it was sent', () => {
  test('an upload that the server has otherwise', async () => {
    await using script = answering(async () =>
      Response.json({}, { headers: { etag: `"${'0'.repeat(64)}"` } }),
    )
    const up = await script.slot.upload('x', 'x')
    expect(up).toMatchObject({ success: false, sha256: null, failure: { code: 'bad-response' } })
    expect(up.error).toContain(`the server has ${'0'.repeat(64)}`)
  })

  test('a download that is altered fails at its end, one that is cut where it is cut', async () => {
    const etag = `"${hash(content)}"`
    await using altered = answering(async () => new Response('other', { headers: { etag } }))
    const reading = new Response((await altered.slot.download('x')).body).text()
    const error = await reading.catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(SandboxError)
    expect(error).toMatchObject({
      code: 'content',
      message: expect.stringContaining('Cannot download x: its SHA-256'),
    })
    await using cut = answering(
      async () =>
        new Response(
          new ReadableStream({
            start: (controller) => controller.enqueue(content.slice(0, 5)),
            pull: (controller) => controller.error(new Error('reset')),
          }),
          { headers: { etag } },
        ),
    )
    const cutReading = new Response((await cut.slot.download('x')).body).text()
    expect(await cutReading.catch((thrown: unknown) => String(thrown))).toContain('reset after 5 bytes')
  })

  test('a download that stalls fails', async () => {
    const stalled = () =>
      new ReadableStream({ start: (controller) => controller.enqueue(content.slice(0, 5)) })
    await using script = answering(async () => new Response(stalled()))
    const { body } = await script.slot.download('x', { timeoutMs: 20 })
    const text = await new Response(body).text().catch((thrown: unknown) => String(thrown))
    expect(text).toContain('nothing came for 20 ms after 5 bytes')
  })
})

describe('given up', () => {
  test('an upload ends, its connection too, and the slot goes on', async () => {
    const ended = Promise.withResolvers<void>()
    await using script = answering((request) => {
      request.signal.addEventListener('abort', () => ended.resolve())
      return Promise.withResolvers<Response>().promise
    })
    const controller = new AbortController()
    const uploading = script.slot.upload('x', 'x', { signal: controller.signal })
    await Bun.sleep(5)
    controller.abort()
    expect(await uploading).toMatchObject({ success: false, failure: { code: 'aborted' } })
    await ended.promise
    expect(script.slot.state).toBe('idle')
  })

  test('a download fails with the reason', async () => {
    const stalled = () =>
      new ReadableStream({ start: (controller) => controller.enqueue(content.slice(0, 5)) })
    await using script = answering(async () => new Response(stalled()))
    const controller = new AbortController()
    const { body } = await script.slot.download('x', { signal: controller.signal })
    const reading = new Response(body).text().catch((thrown: unknown) => String(thrown))
    controller.abort(new Error('enough'))
    expect(await reading).toContain('enough')
  })
})

test('a base server has no such files: not-run, unsupported', async () => {
  await using server = startExtendedServer({ features: ['ndjson', 'idempotency'] })
  await using executor = new SandboxExecutor()
  const [slot] = executor.slots(server.url, 1)
  expect(await slot.upload('x', 'x')).toMatchObject({ success: false, failure: { code: 'unsupported' } })
  expect(await slot.download('x')).toMatchObject({ success: false, failure: { code: 'unsupported' } })
})

test.each(['', '/etc/passwd', '../x', 'a/../../x', '.'])('the path %p is refused', async (path) => {
  await using executor = new SandboxExecutor()
  const [slot] = executor.slots('one:1', 1)
  expect(slot.upload(path, 'x')).rejects.toBeInstanceOf(SandboxUsageError)
  expect(slot.download(path)).rejects.toMatchObject({ field: 'path' })
})

test('data of another kind is refused', async () => {
  await using executor = new SandboxExecutor()
  const [slot] = executor.slots('one:1', 1)
  expect(slot.upload('x', 7 as unknown as string)).rejects.toMatchObject({ field: 'data' })
})

test('both hashes are SHA-256', () => {
  for (const start of [startSha256, scriptSha256]) {
    const running = start()
    for (let at = 0; at < content.length; at += 777) running.update(content.subarray(at, at + 777))
    expect(running.hex()).toBe(hash(content))
  }
})
