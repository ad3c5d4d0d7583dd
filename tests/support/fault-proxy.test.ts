import { afterAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { type Fault, type FaultPlan, startFaultProxy } from './fault-proxy.ts'

const bodies: string[] = []
const target = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: async (request) => {
    bodies.push(await request.text())
    return new Response('x'.repeat(1_000))
  },
})
afterAll(() => target.stop(true))

/** What comes to its end by itself, however long a busy machine takes for it. */
function hasEnd(fault: Fault): boolean {
  return ['none', 'drip'].includes(fault.kind) || (fault.kind === 'delay' && fault.ms < 1_000)
}

/** What a client sees through the fault: the body, or how it failed. */
async function through(
  fault: Fault,
  plan: FaultPlan = () => fault,
): Promise<{ seen: string; served: string[]; passed: number; posts: number; struck: readonly Fault[] }> {
  bodies.length = 0
  await using proxy = await startFaultProxy({ target: target.url.origin, plan })
  // What may be waited for in vain is given up.
  const seen = await posted(proxy.url, hasEnd(fault) ? { signal: null } : {})
  const { requestBytes = 0, responseBytes = 0, struck = [] } = proxy.connections[0] ?? {}
  const passed = 'in' in fault && fault.in === 'request' ? requestBytes : responseBytes
  return { seen, served: [...bodies], passed, posts: proxy.posts, struck }
}

function posted(url: string, options: RequestInit = {}): Promise<string> {
  const signal = AbortSignal.timeout(150)
  return fetch(url, { method: 'POST', body: 'y'.repeat(500), keepalive: false, signal, ...options })
    .then((response) => response.text())
    .catch((error: Error) => `failed: ${error.name}`)
}

/** How the connection of a client without HTTP ends: by a reset, by a FIN, or not within a while. */
async function endOfConnection(url: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true })
  const { promise, resolve } = Promise.withResolvers<string>()
  socket.on('error', (error) => resolve(String(Reflect.get(error, 'code'))))
  socket.on('end', () => resolve('FIN'))
  socket.on('data', () => {})
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi')
  const timer = setTimeout(() => resolve('nothing'), 150)
  const end = await promise
  clearTimeout(timer)
  socket.destroy()
  return end
}

const endings = ['reset', 'close', 'stall'] as const
const ends = { reset: 'ECONNRESET', close: 'FIN', stall: 'nothing' } as const

describe('the fault proxy', () => {
  test('passes everything on when nothing is to go wrong', async () => {
    const { seen, served, posts, struck } = await through({ kind: 'none' })
    expect([seen, served, posts, struck]).toEqual(['x'.repeat(1_000), ['y'.repeat(500)], 1, []])
  })

  test.each(endings)('%s before the server saw the request', async (kind) => {
    const { seen, served, passed, posts } = await through({ kind, in: 'request', at: 20 })
    expect(seen).toStartWith('failed')
    expect([served, passed, posts]).toEqual([[], 20, 0])
  })

  test.each(endings)('%s as soon as the client has connected', async (kind) => {
    const { seen, served, struck } = await through({ kind, in: 'connect' })
    expect(seen).toStartWith('failed')
    expect([served, struck]).toEqual([[], [{ kind, in: 'connect' }]])
  })

  test.each(endings)('%s after the server saw the request, before its answer', async (kind) => {
    const { seen, served, passed, posts } = await through({ kind, in: 'response' })
    expect(seen).toStartWith('failed')
    expect([served.length, passed, posts]).toEqual([1, 0, 1])
  })

  test.each(endings)('%s when the request has passed', async (kind) => {
    const { seen, posts } = await through({ kind, in: 'request', at: 'end' })
    expect(seen).toStartWith('failed')
    expect(posts).toBe(1)
  })

  test.each(endings)('%s in the middle of the answer', async (kind) => {
    const { seen, served, passed } = await through({ kind, in: 'response', at: 300 })
    expect(seen).toStartWith('failed')
    expect([served.length, passed]).toEqual([1, 300])
  })

  test.each(endings)('%s: the client sees it as what it is', async (kind) => {
    const faults: Fault[] = [
      { kind, in: 'connect' },
      { kind, in: 'request', at: 10 },
      { kind, in: 'request', at: 'end' },
      { kind, in: 'response', at: 10 },
    ]
    for (const fault of faults) {
      await using proxy = await startFaultProxy({ target: target.url.origin, plan: () => fault })
      expect([fault, await endOfConnection(proxy.url)]).toEqual([fault, ends[kind]])
    }
  })

  test('holds back what it delays, and does not wait for it when it stops', async () => {
    const { seen, passed, served } = await through({ kind: 'delay', in: 'response', at: 300, ms: 1e9 })
    expect([seen, passed, served.length]).toEqual(['failed: TimeoutError', 300, 1])
  })

  test('delays and drips without loss, either way', async () => {
    const faults: Fault[] = [
      { kind: 'delay', in: 'response', at: 300, ms: 5 },
      { kind: 'drip', in: 'response', at: 300 },
      { kind: 'drip', in: 'request', at: 40, bytes: 300 },
      { kind: 'drip', in: 'response', at: 500, bytes: 5, everyMs: 1 },
    ]
    for (const fault of faults) {
      const { seen, served, struck } = await through(fault)
      expect([seen, served]).toEqual(['x'.repeat(1_000), ['y'.repeat(500)]])
      expect(struck).toEqual([fault])
    }
  })

  test('garbles what comes after an offset', async () => {
    const { seen } = await through({ kind: 'garble', in: 'response', at: 700 })
    expect(seen).toMatch(/^x+#+$/)
  })

  test('garbles some bytes', async () => {
    const { seen } = await through({ kind: 'garble', in: 'response', at: 700, with: 'NO' })
    expect(seen).toMatch(/^x+NOx+$/)
    expect(seen).toHaveLength(1_000)
    const { served } = await through({ kind: 'garble', in: 'request', at: 400, with: '!!!' })
    expect(served[0]).toMatch(/^y+!!!y+$/)
  })

  test('loses bytes: the other side waits for them', async () => {
    const { seen, passed } = await through({ kind: 'truncate', in: 'response', at: 700, bytes: 10 })
    expect(seen).toBe('failed: TimeoutError')
    expect(passed).toBeGreaterThan(1_000)
  })

  test('lets bytes come twice', async () => {
    const { seen } = await through({ kind: 'duplicate', in: 'response', at: 700, bytes: 10 })
    expect(seen).toBe('x'.repeat(1_000))
  })

  test('applies several faults to one message', async () => {
    const one = { kind: 'garble', in: 'response', at: 500, with: 'A' } as const
    const other = { kind: 'garble', in: 'response', at: 600, with: 'B' } as const
    const { seen, struck } = await through(other, [[other, one]])
    expect(seen).toMatch(/^x+Ax+Bx+$/)
    expect(struck).toEqual([one, other])
  })
})

describe('the plan of a fault proxy', () => {
  test('is a list by request, on reused connections too', async () => {
    const plan = [undefined, undefined, { kind: 'reset', in: 'response', at: 30 }] as const
    await using proxy = await startFaultProxy({ target: target.url.origin, plan })
    const seen: string[] = []
    for (let index = 0; index < 4; index += 1) seen.push(await posted(proxy.url, { keepalive: true }))
    expect(seen.map((text) => text.length === 1_000)).toEqual([true, true, false, true])
    expect(proxy.requests.map(({ connection, nth }) => [connection, nth])).toEqual([
      [0, 0],
      [0, 1],
      [0, 2],
      [1, 0],
    ])
    expect(proxy.requests[2]).toMatchObject({ method: 'POST', path: '/', reached: true, responseBytes: 30 })
    expect(proxy.requests[0]?.requestBytes).toBe(proxy.requests[3]?.requestBytes)
  })

  test('sees what a request is', async () => {
    const plan: FaultPlan = {
      request: ({ path }) => (path === '/bad' ? { kind: 'reset', in: 'request' } : undefined),
    }
    await using proxy = await startFaultProxy({ target: target.url.origin, plan })
    expect(await posted(`${proxy.url}/good`)).toHaveLength(1_000)
    expect(await posted(`${proxy.url}/bad`)).toStartWith('failed')
    expect(proxy.posts).toBe(1)
  })

  test('can be changed on the way', async () => {
    await using proxy = await startFaultProxy({ target: target.url.origin })
    expect(await posted(proxy.url)).toHaveLength(1_000)
    proxy.setPlan(() => ({ kind: 'reset', in: 'request' }))
    expect(await posted(proxy.url)).toStartWith('failed')
  })

  test('reaches streamed bodies, request by request', async () => {
    bodies.length = 0
    const plan = [undefined, { kind: 'drip', in: 'request' }, undefined] as const
    await using proxy = await startFaultProxy({ target: target.url.origin, plan })
    const streamed = () => new Blob(['one ', 'two']).stream().pipeThrough(new TransformStream())
    for (let index = 0; index < 3; index += 1) {
      expect(await posted(proxy.url, { body: streamed(), keepalive: true })).toHaveLength(1_000)
    }
    expect(bodies).toEqual(['one two', 'one two', 'one two'])
    expect(proxy.requests.map(({ reached }) => reached)).toEqual([true, true, true])
  })
})

describe('a fault proxy that does not listen', () => {
  test('refuses, and accepts again at the same address', async () => {
    await using proxy = await startFaultProxy({ target: target.url.origin })
    const { url } = proxy
    expect(await posted(url, { keepalive: true })).toHaveLength(1_000)
    await proxy.refuse()
    const code = await fetch(url, { method: 'POST' }).catch((error: Error) => Reflect.get(error, 'code'))
    expect(code).toMatch(/^(ConnectionRefused|ECONNREFUSED)$/)
    await proxy.accept()
    expect(proxy.url).toBe(url)
    expect(await posted(url)).toHaveLength(1_000)
    expect(proxy.posts).toBe(2)
  })

  test('cuts what is under way when it stops', async () => {
    const proxy = await startFaultProxy({
      target: target.url.origin,
      plan: () => ({ kind: 'stall', in: 'response' }),
    })
    const seen = posted(proxy.url, { signal: AbortSignal.timeout(5_000) })
    while (proxy.connections[0]?.struck.length !== 1) await Bun.sleep(1)
    await proxy.stop()
    expect(await seen).not.toBe('failed: TimeoutError')
  })

  test('passes on that the target is not there', async () => {
    const gone = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
    await gone.stop(true)
    await using proxy = await startFaultProxy({ target: gone.url.origin })
    expect(await posted(proxy.url)).toStartWith('failed')
    expect(proxy.posts).toBe(0)
  })
})
