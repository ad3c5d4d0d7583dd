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
function answering(answer: Fetch, attempts = 3) {
  const transport = createMemoryTransport((request) =>
    new URL(request.url).pathname === '/health' ? Promise.resolve(extendedHealth()) : answer(request),
  )
  const executor = new SandboxExecutor({ transport, retry: { attempts, delayMs: 1 } })
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
    const down = await slot.download('/workspace/a b/ü.bin')
    expect(down).toMatchObject({ success: true, fileSize: content.length, sha256: hash(content) })
    expect(await new Response(down.body).bytes()).toEqual(content)
    expect(slot.state).toBe('idle')
  })

  test('a stream that was read already, or gives texts, is no file, and the one that is there stays', async () => {
    await using server = startExtendedServer()
    await using executor = new SandboxExecutor()
    const [slot] = executor.slots(server.url, 1)
    const stream = pieces()
    expect((await slot.upload('file', stream)).success).toBe(true)
    expect(slot.upload('file', stream)).rejects.toThrow('Cannot upload this stream: it was read')
    const texts = new ReadableStream({ pull: (controller) => controller.enqueue('text') })
    const told = 'The stream must give bytes, as Uint8Arrays, not a string'
    expect(await slot.upload('file', texts)).toMatchObject({ success: false, error: told })
    const down = await slot.download('file')
    expect(await new Response(down.body).bytes()).toEqual(content)
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

  test('a download that is altered fails at its end, one that is cut, and has no ETag, where it is cut', async () => {
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

/** `part` of the content in pieces, then an error or, with a `cut` of null, the end. */
function cutBody(part: Uint8Array<ArrayBuffer>, cut: Error | null) {
  let at = 0
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: (controller) => {
        if (at < part.length) controller.enqueue(part.slice(at, at + 50_000))
        else if (cut === null) controller.close()
        else controller.error(cut)
        at += 50_000
      },
    },
    { highWaterMark: 0 },
  )
}

/** A container with the content, which cuts each of its answers after so many bytes. */
function cutting(cuts: readonly number[], size: number | null = content.length) {
  const asked: (string | null)[] = []
  const left = [...cuts]
  const answer = async ({ headers }: Request) => {
    const range = headers.get('range')
    asked.push(range)
    if (range !== null) expect(headers.get('if-range')).toBe(`"${hash(content)}"`)
    const from = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    const cut = left.shift()
    const part = content.slice(from, cut === undefined ? undefined : from + cut)
    return new Response(cutBody(part, cut === undefined ? null : new Error('reset')), {
      status: range === null ? 200 : 206,
      headers: {
        etag: `"${hash(content)}"`,
        ...(size === null ? {} : { 'x-file-size': String(size) }),
        ...(range === null
          ? {}
          : { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
      },
    })
  }
  return { asked, answer }
}

const failing = (body: ReadableStream) =>
  new Response(body).bytes().catch((thrown: unknown) => String(thrown))

describe('a download that is cut', () => {
  test('is taken up where it was cut', async () => {
    const { asked, answer } = cutting([100_000, 70_000])
    await using script = answering(answer)
    const { body } = await script.slot.download('x')
    expect(await new Response(body).bytes()).toEqual(content)
    expect(asked).toEqual([null, 'bytes=100000-', 'bytes=170000-'])
  })

  test('is taken up while the slot runs its next call', async () => {
    await using server = startExtendedServer({ run: () => Promise.withResolvers<object>().promise })
    const { answer } = cutting([100_000])
    const transport = createMemoryTransport((request) =>
      request.url.includes('/files/') ? answer(request) : server.handler(request),
    )
    const executor = new SandboxExecutor({ transport })
    const [slot] = executor.slots('one:1', 1)
    const { body } = await slot.download('x')
    const running = slot.bash('x')
    expect(await new Response(body).bytes()).toEqual(content)
    expect(slot.state).toBe('executing')
    await executor.close({ graceMs: 0 })
    expect((await running).outcome).toBe('unknown')
  })

  test('behind its last byte has come', async () => {
    const { asked, answer } = cutting([content.length])
    await using script = answering(answer)
    const { body } = await script.slot.download('x')
    expect(await new Response(body).bytes()).toEqual(content)
    expect(asked).toEqual([null])
  })

  test('again and again fails when all attempts are spent', async () => {
    const { asked, answer } = cutting([10, 10, 10, 10])
    await using script = answering(answer)
    const { body } = await script.slot.download('x')
    expect(await failing(body)).toContain('Cannot download x: reset after 30 bytes in 3 attempts')
    expect(asked).toEqual([null, 'bytes=10-', 'bytes=20-'])
  })

  test('before it began is asked for again', async () => {
    let times = 0
    await using script = answering(async (request) => {
      times += 1
      if (times === 1) throw new Error('reset')
      return cutting([]).answer(request)
    })
    const { body } = await script.slot.download('x')
    expect(await new Response(body).bytes()).toEqual(content)
  })

  test('when nothing comes is taken up, too', async () => {
    const { answer } = cutting([])
    let times = 0
    await using script = answering(async (request) => {
      times += 1
      if (times > 1) return answer(request)
      const start = (controller: ReadableStreamDefaultController) => controller.enqueue(content.slice(0, 5))
      return new Response(new ReadableStream({ start }), { headers: { etag: `"${hash(content)}"` } })
    })
    const { body } = await script.slot.download('x', { timeoutMs: 20 })
    expect(await new Response(body).bytes()).toEqual(content)
  })

  const etag = `"${hash(content)}"`
  test.each<[string, string, () => Response]>([
    [
      'the file has changed',
      'the file has changed',
      () => new Response('other', { headers: { etag: `"${'0'.repeat(64)}"` } }),
    ],
    ['it comes from its beginning', 'another part', () => new Response(content, { headers: { etag } })],
    [
      'another part of it comes',
      'another part',
      () => new Response(content, { status: 206, headers: { etag, 'content-range': 'bytes 7-9/10' } }),
    ],
    [
      'it is gone',
      'File not found',
      () => Response.json({ success: false, error: 'File not found' }, { status: 404 }),
    ],
  ])('fails when %s, and gives nothing of that', async (_, reason, other) => {
    const { answer } = cutting([50_000])
    let times = 0
    await using script = answering(async (request) => {
      times += 1
      return times === 1 ? answer(request) : other()
    })
    const { body } = await script.slot.download('x')
    const reader = body.getReader()
    expect((await reader.read()).value).toEqual(content.slice(0, 50_000))
    const error = await reader.read().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'SandboxError', code: 'content' })
    expect(String(error)).toContain(`Cannot download x: reset, then: `)
    expect(String(error)).toContain(reason)
  })

  test('and given up while its rest is asked for fails with the reason', async () => {
    const { answer } = cutting([50_000])
    const asked = Promise.withResolvers<void>()
    await using script = answering((request) => {
      if (!request.headers.has('range')) return answer(request)
      asked.resolve()
      return Promise.withResolvers<Response>().promise
    })
    const controller = new AbortController()
    const { body } = await script.slot.download('x', { signal: controller.signal })
    const reading = failing(body)
    await asked.promise
    controller.abort(new Error('enough'))
    expect(await reading).toContain('enough')
  })
})

test('the rest of a download that its reader has left is left, too', async () => {
  const { answer } = cutting([50_000])
  const asked = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const left = Promise.withResolvers<unknown>()
  await using script = answering(async (request) => {
    const response = await answer(request)
    if (!request.headers.has('range')) return response
    asked.resolve()
    await go.promise
    return new Response(new ReadableStream({ cancel: left.resolve }), response)
  })
  const reader = (await script.slot.download('x')).body.getReader()
  await reader.read()
  reader.read().catch(() => {})
  await asked.promise
  await reader.cancel('enough')
  go.resolve()
  expect(await left.promise).toBe('enough')
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
