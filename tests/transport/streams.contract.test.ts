/** What every transport with streams keeps to: the answer is read as it comes. */
import { afterAll, describe, expect, test } from 'bun:test'
import { createHttpTransport, createMemoryTransport, type Fetch } from '../../mod.ts'
import type { StreamRequest, Transport } from '../../src/ports/transport.ts'
import { the } from '../support/the.ts'

const received: { headers: Headers; method: string; body: string }[] = []
/** Chunks that an endless answer was asked for. */
let pulled = 0

const routes: Record<string, (request: Request) => Response | Promise<Response>> = {
  '/echo': async (request) => {
    received.push({ headers: request.headers, method: request.method, body: await request.text() })
    return new Response('hello', { status: 201, headers: { etag: '"abc"' } })
  },
  '/steps': () => new Response(steps(), { headers: { 'content-type': 'application/x-ndjson' } }),
  '/endless': () => new Response(endless()),
  '/never': () => Promise.withResolvers<Response>().promise,
  '/missing': () => Response.json({ success: false, error: 'Not found' }, { status: 404 }),
  '/busy': () => new Response('later', { status: 503, headers: { 'retry-after': '3' } }),
  '/nothing': () => new Response(null, { status: 204 }),
}

let goOn = Promise.withResolvers<void>()

/** The second part comes when the first has been read. */
function steps(): ReadableStream<Uint8Array> {
  goOn = Promise.withResolvers<void>()
  return new ReadableStream({
    start: async (controller) => {
      controller.enqueue(new TextEncoder().encode('one\n'))
      await goOn.promise
      controller.enqueue(new TextEncoder().encode('two\n'))
      controller.close()
    },
  })
}

function endless(): ReadableStream<Uint8Array> {
  pulled = 0
  const chunk = new Uint8Array(64 * 1024)
  return new ReadableStream(
    {
      pull: (controller) => {
        pulled += 1
        controller.enqueue(chunk)
      },
    },
    { highWaterMark: 0 },
  )
}

const handler: Fetch = async (request) => the(routes[new URL(request.url).pathname])(request)
const server = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 0, fetch: handler })
afterAll(() => server.stop(true))

const options = { token: 'secret' }
const adapters: [string, string, Transport][] = [
  ['http', server.url.origin, createHttpTransport(options)],
  ['memory', 'http://nowhere', createMemoryTransport(handler, options)],
]

describe.each(adapters)('%s transport, streams', (_, origin, transport) => {
  const stream = (path: string, more: Partial<StreamRequest> = {}) =>
    the(transport.stream)({
      method: 'POST',
      url: origin + path,
      signal: new AbortController().signal,
      ...more,
    })

  test.each([
    ['text', '{"a":1}', 'application/json'],
    ['bytes', new TextEncoder().encode('{"a":1}'), null],
    ['a Blob', new Blob(['{"a"', ':1}']), null],
    ['a stream', new Response('{"a":1}').body ?? undefined, null],
  ] as const)('sends %s, token and headers', async (_kind, body, contentType) => {
    received.length = 0
    const streamed = await stream('/echo', { method: 'PUT', body: the(body), headers: { 'if-ledger': 'x' } })
    if (streamed.kind !== 'ok') throw new Error(streamed.kind)
    expect([streamed.status, streamed.headers.get('etag')]).toEqual([201, '"abc"'])
    expect(await new Response(streamed.body).text()).toBe('hello')
    const [got] = received
    expect([got?.method, got?.body]).toEqual(['PUT', '{"a":1}'])
    expect(got?.headers.get('if-ledger')).toBe('x')
    expect(got?.headers.get('authorization')).toBe('Bearer secret')
    if (contentType !== null) expect(got?.headers.get('content-type')).toBe(contentType)
  })

  test('the answer is read as it comes', async () => {
    const streamed = await stream('/steps')
    if (streamed.kind !== 'ok') throw new Error(streamed.kind)
    const reader = streamed.body.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toBe('one\n')
    goOn.resolve()
    expect((await reader.read()).value).toBe('two\n')
    expect((await reader.read()).done).toBe(true)
  })

  test('no faster than it is read', async () => {
    const streamed = await stream('/endless')
    if (streamed.kind !== 'ok') throw new Error(streamed.kind)
    const reader = streamed.body.getReader()
    await reader.read()
    let before: number
    do {
      before = pulled
      await Bun.sleep(30)
    } while (pulled > before)
    // What the sockets hold is bounded; without backpressure it would go on for ever.
    expect(pulled).toBeLessThan(1_000)
    await reader.cancel()
  })

  test('an empty answer has an empty body', async () => {
    const streamed = await stream('/nothing')
    expect(streamed.kind === 'ok' && (await new Response(streamed.body).text())).toBe('')
  })

  test('tells an HTTP error with its sentence and pause', async () => {
    expect(await stream('/missing')).toMatchObject({ kind: 'http-error', status: 404, message: 'Not found' })
    expect(await stream('/busy')).toMatchObject({ kind: 'http-error', status: 503, retryAfterMs: 3_000 })
  })

  test('ends when the signal fires, before or in the middle of the answer', async () => {
    const before = new AbortController()
    const pending = stream('/never', { signal: before.signal })
    await Bun.sleep(5)
    before.abort()
    expect(await pending).toEqual({ kind: 'aborted' })
    const within = new AbortController()
    const streamed = await stream('/endless', { signal: within.signal })
    if (streamed.kind !== 'ok') throw new Error(streamed.kind)
    const reader = streamed.body.getReader()
    await reader.read()
    within.abort()
    const drained = async () => {
      while (!(await reader.read()).done);
    }
    expect(drained()).rejects.toThrow()
  })
})

test('a connection that is never made was not sent', async () => {
  const gone = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const url = `${gone.url.origin}/v2/batch`
  await gone.stop(true)
  const streamed = await the(createHttpTransport().stream)({
    method: 'POST',
    url,
    body: '[]',
    signal: new AbortController().signal,
  })
  expect(streamed.kind).toBe('not-sent')
})
