/** What every transport must do, run with each of them: over a port and in memory. */
import { afterAll, describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import type { Transport, TransportRequest } from '../../src/ports/transport.ts'
import { createHttpTransport, type Fetch } from '../../src/transport/http-transport.ts'
import { createMemoryTransport } from '../../src/transport/memory-transport.ts'

const received: Request[] = []

const routes: Record<string, (request: Request) => Response | Promise<Response>> = {
  '/echo': async (request) => Response.json({ body: await request.json() }),
  '/wrong': () => Response.json({ other: 1 }),
  '/text': () => new Response('hello'),
  '/empty': () => new Response(''),
  '/missing': () => Response.json({ success: false, error: 'Not found: q' }, { status: 404 }),
  '/plain': () => new Response('boom', { status: 500 }),
  '/busy': () => new Response('later', { status: 429, headers: { 'retry-after': '3' } }),
  '/moved': () => new Response('', { status: 307, headers: { location: '/echo' } }),
  '/big': () => Response.json({ body: 'x'.repeat(5_000) }),
  '/drip': () => new Response(endless('x'.repeat(1_000))),
  '/bomb': () =>
    new Response(Bun.gzipSync(Buffer.alloc(5_000_000, 32)), { headers: { 'content-encoding': 'gzip' } }),
  '/never': () => Promise.withResolvers<Response>().promise,
  '/stalled': () => new Response(halfThenNothing()),
}

const handler: Fetch = async (request) => {
  received.push(request)
  const route = routes[new URL(request.url).pathname]
  return route === undefined ? new Response('no', { status: 400 }) : route(request)
}

function endless(chunk: string): ReadableStream<Uint8Array> {
  const bytes = new TextEncoder().encode(chunk)
  return new ReadableStream({ pull: (controller) => controller.enqueue(bytes) })
}

function halfThenNothing(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{"body":')),
    pull: () => Promise.withResolvers<void>().promise,
  })
}

const server = Bun.serve({ port: 0, hostname: '127.0.0.1', idleTimeout: 0, fetch: handler })
afterAll(() => server.stop(true))

const options = { token: 'secret', headers: { 'x-team': 'evals' } }
const adapters: [string, string, Transport][] = [
  ['http', server.url.origin, createHttpTransport(options)],
  ['memory', 'http://nowhere', createMemoryTransport(handler, options)],
]

const bodyObject = v.object({ body: v.unknown() })

describe.each(adapters)('%s transport', (_, origin, transport) => {
  const exchange = (path: string, more: Partial<TransportRequest<{ body: unknown }>> = {}) =>
    transport.exchange({
      method: 'POST',
      url: origin + path,
      body: '{"a":1}',
      schema: bodyObject,
      signal: new AbortController().signal,
      maxBytes: 1_000,
      ...more,
    })

  test('brings the value that satisfies the schema', async () => {
    expect(await exchange('/echo')).toEqual({ kind: 'ok', status: 200, value: { body: { a: 1 } } })
  })

  test('sends token, headers and content type', async () => {
    received.length = 0
    await exchange('/echo')
    const headers = received[0]?.headers
    expect(headers?.get('authorization')).toBe('Bearer secret')
    expect(headers?.get('x-team')).toBe('evals')
    expect(headers?.get('content-type')).toBe('application/json')
  })

  test('tells an HTTP error with its sentence, from JSON or text', async () => {
    expect(await exchange('/missing')).toMatchObject({
      kind: 'http-error',
      status: 404,
      message: 'Not found: q',
      body: { success: false },
    })
    expect(await exchange('/plain')).toMatchObject({ kind: 'http-error', status: 500, message: 'boom' })
  })

  test('reads Retry-After', async () => {
    expect(await exchange('/busy')).toMatchObject({ kind: 'http-error', status: 429, retryAfterMs: 3_000 })
  })

  test('follows no redirect: a call goes to its own container or nowhere', async () => {
    received.length = 0
    expect(await exchange('/moved')).toMatchObject({ kind: 'http-error' })
    expect(received).toHaveLength(1)
  })

  test('tells what is no JSON, or not of the schema', async () => {
    expect(await exchange('/wrong')).toMatchObject({
      kind: 'bad-response',
      message: expect.stringContaining('(body)'),
    })
    expect(await exchange('/text')).toMatchObject({
      kind: 'bad-response',
      message: expect.stringContaining('hello'),
    })
    expect(await exchange('/empty')).toMatchObject({ kind: 'bad-response' })
  })

  test('stops reading at maxBytes: announced, streamed without end, or compressed', async () => {
    for (const path of ['/big', '/drip', '/bomb']) {
      expect(await exchange(path)).toMatchObject({
        kind: 'too-large',
        message: expect.stringContaining('1000 bytes'),
      })
    }
  })

  test('ends when the signal fires, before or in the middle of the answer', async () => {
    for (const path of ['/never', '/stalled']) {
      const controller = new AbortController()
      const pending = exchange(path, { signal: controller.signal })
      await Bun.sleep(5)
      controller.abort()
      expect(await pending).toEqual({ kind: 'aborted' })
    }
    expect(await exchange('/echo', { signal: AbortSignal.abort() })).toEqual({ kind: 'aborted' })
  })
})

test('a connection that is never made was not sent', async () => {
  const gone = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const url = `${gone.url.origin}/execute`
  await gone.stop(true)
  const exchange = await createHttpTransport().exchange({
    method: 'POST',
    url,
    body: '{}',
    schema: bodyObject,
    signal: new AbortController().signal,
    maxBytes: 1_000,
  })
  expect(exchange.kind).toBe('not-sent')
})

test('a handler that throws leaves the outcome open', async () => {
  const transport = createMemoryTransport(() => Promise.reject(new Error('handler broke')))
  const signal = new AbortController().signal
  const exchange = await transport.exchange({
    method: 'GET',
    url: 'http://x',
    schema: bodyObject,
    signal,
    maxBytes: 1,
  })
  expect(exchange).toEqual({ kind: 'broken', message: 'handler broke' })
})
