import { describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { startSandboxServer } from '../../src/server/start-server.ts'
import { baseUrl, post, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

const call = JSON.stringify({ slot_id: 'slot_0', tool: 'bash', args: { command: 'echo ran' } })

function send(sandbox: Sandbox, headers: Record<string, string>, init: RequestInit = {}, url = baseUrl) {
  const body = new TextEncoder().encode(call)
  return sandbox.handler(new Request(`${url}/execute`, { method: 'POST', body, headers, ...init }))
}

describe('friends', () => {
  test.each([
    {},
    { host: 'localhost:8080' },
    { host: 'LOCALHOST' },
    { host: '127.0.0.1:1' },
    { host: '127.9.9.9' },
    { host: '[::1]:8080' },
    { 'content-type': 'application/json; charset=utf-8' },
    { 'content-type': 'Application/JSON' },
  ])('come in: %j', async (headers) => {
    const sandbox = await openSandbox({ isolation: 'none' })
    expect(await (await send(sandbox, headers)).json()).toMatchObject({ output: 'ran' })
  })

  test('that were named come in, by host and by origin', async () => {
    const origin = 'http://page.example'
    const sandbox = await openSandbox({
      isolation: 'none',
      allowedHosts: ['container-1'],
      allowedOrigins: [origin],
    })
    expect((await send(sandbox, {}, {}, 'http://container-1:8080')).status).toBe(200)
    const asked = await send(sandbox, { origin }, { method: 'OPTIONS', body: null })
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, origin])
    const answered = await send(sandbox, { origin, 'content-type': 'application/json' })
    expect([answered.status, answered.headers.get('access-control-allow-origin')]).toEqual([200, origin])
  })
})

describe('requests that are refused before anything runs', () => {
  test.each([
    [{ timeout: 0 }, /^timeout must be a number/],
    [{ timeout: -1 }, /^timeout/],
    [{ timeout: '5' }, /^timeout/],
    [{ timeout: null }, /^timeout/],
    [{ timeout: 86_401 }, /^timeout/],
    [{ timeout: [5] }, /^timeout/],
    [{ slot_id: 0 }, /^slot_id must be a string$/],
    [{ slot_id: 'slot_\ud800' }, /^slot_id must not contain lone surrogates$/],
    [{ tool: {} }, /^tool must be a string$/],
    [{ args: 'ls' }, /^args must be an object$/],
    [{ args: [] }, /^args must be an object$/],
    [{ args: null }, /^args must be an object$/],
    [{ args: { command: 7 } }, /^args.command must be a string$/],
    [{ args: { command: 'a\0b' } }, /^args.command must not contain NUL$/],
    [{ args: { command: 'x', require_sandbox: 'yes' } }, /^args.require_sandbox must be true or false$/],
    [{ execution_id: 7 }, /^execution_id must be a string$/],
  ])('%j', async (fields, error) => {
    const started: string[] = []
    const sandbox = await openSandbox({ isolation: 'none', onCall: ({ type }) => started.push(type) })
    const body = { slot_id: 'slot_0', tool: 'bash', args: { command: 'echo ran' }, ...fields }
    const response = await post(sandbox, '/execute', body)
    expect([response.status, await response.json()]).toEqual([
      400,
      { success: false, error: expect.stringMatching(error) },
    ])
    expect(started).toEqual([])
  })

  test('numbers that JSON reads as Infinity', async () => {
    const sandbox = await openSandbox({ isolation: 'none' })
    const body = new TextEncoder().encode(call.replace('{', '{"timeout":1e999,'))
    expect((await send(sandbox, {}, { body })).status).toBe(400)
  })

  test.each(['constructor', '__proto__', 'toString'])('a tool called %s', async (tool) => {
    const sandbox = await openSandbox({ isolation: 'none' })
    const response = await post(sandbox, '/execute', { slot_id: 'slot_0', tool })
    expect(await response.json()).toMatchObject({ error: `Unknown tool: ${tool}` })
  })
})

describe('a body over 1 MiB', () => {
  const large = JSON.stringify({ x: 'x'.repeat(1_048_576) })

  test('gets the answer of a base server, on every route', async () => {
    const sandbox = await openSandbox({ isolation: 'none' })
    for (const path of ['/execute', '/batch', '/reset']) {
      const response = await sandbox.handler(
        new Request(baseUrl + path, { method: 'POST', body: Buffer.from(large) }),
      )
      expect([response.status, await response.json()]).toEqual([
        500,
        { success: false, error: 'Request Entity Too Large' },
      ])
    }
    const url = `${baseUrl}/artifacts/read`
    const response = await sandbox.handler(new Request(url, { method: 'POST', body: Buffer.from(large) }))
    expect([response.status, response.headers.get('content-type')]).toEqual([
      413,
      'text/plain; charset=utf-8',
    ])
  })

  test('of exactly 1 MiB is taken', async () => {
    const sandbox = await openSandbox({ isolation: 'none' })
    const body = Buffer.from(call.padEnd(1_048_576))
    expect((await send(sandbox, {}, { body })).status).toBe(200)
  })

  test('is counted in chunks too, without a content length', async () => {
    await using server = await startSandboxServer({ slots: 1, isolation: 'none' })
    const { port } = new URL(server.url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.write('POST /execute HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let sent = 0; sent < 20; sent++) socket.write(`10000\r\n${'x'.repeat(65_536)}\r\n`)
    socket.write('0\r\n\r\n')
    const { promise, resolve } = Promise.withResolvers<string>()
    socket.once('data', (data) => resolve(data.toString()))
    expect(await promise).toStartWith('HTTP/1.1 500')
    socket.destroy()
  })

  test('is none of less because its header says so', async () => {
    const sandbox = await openSandbox({ isolation: 'none' })
    const response = await send(sandbox, { 'content-length': '2' }, { body: Buffer.from(large) })
    expect([response.status, await response.json()]).toMatchObject([
      500,
      { error: 'Request Entity Too Large' },
    ])
  })

  // What says how long it is is read whole: that no more comes, Bun sees to.
  test('does not get in with two lengths', async () => {
    await using server = await startSandboxServer({ slots: 1, isolation: 'none' })
    const { port } = new URL(server.url)
    for (const second of ['Transfer-Encoding: chunked', 'Content-Length: 3']) {
      const socket = connect(Number(port), '127.0.0.1')
      const { promise, resolve } = Promise.withResolvers<string>()
      socket.once('data', (data) => resolve(data.toString()))
      const head = `POST /execute HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n${second}\r\n\r\n`
      socket.write(`${head}3\r\n{ }\r\n0\r\n\r\n`)
      expect(await promise).toStartWith('HTTP/1.1 400')
      socket.destroy()
    }
  })
})

test.each([{}, { 'content-length': '1000' }])(
  'a body %j that breaks off is refused, and nothing of it runs',
  async (headers) => {
    const started: string[] = []
    const sandbox = await openSandbox({ isolation: 'none', onCall: ({ type }) => started.push(type) })
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(call))
        controller.error(new Error('cut'))
      },
    })
    expect((await send(sandbox, headers, { body })).status).toBe(400)
    expect(started).toEqual([])
  },
)
