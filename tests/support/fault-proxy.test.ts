import { afterAll, describe, expect, test } from 'bun:test'
import { type Fault, startFaultProxy } from './fault-proxy.ts'

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

/** What a client sees through the fault: the body, or how it failed. */
async function through(fault: Fault): Promise<{ seen: string; served: number; passed: number }> {
  bodies.length = 0
  await using proxy = await startFaultProxy({ target: target.url.origin, plan: () => fault })
  const body = 'y'.repeat(500)
  const signal = AbortSignal.timeout(150)
  const seen = await fetch(proxy.url, { method: 'POST', body, keepalive: false, signal })
    .then((response) => response.text())
    .catch((error: Error) => `failed: ${error.name}`)
  const { requestBytes = 0, responseBytes = 0 } = proxy.connections[0] ?? {}
  return {
    seen,
    served: bodies.length,
    passed: fault.kind === 'none' ? 0 : fault.in === 'request' ? requestBytes : responseBytes,
  }
}

describe('the fault proxy', () => {
  test('passes everything on when nothing is to go wrong', async () => {
    expect(await through({ kind: 'none' })).toMatchObject({ seen: 'x'.repeat(1_000), served: 1 })
  })

  test.each(['reset', 'close', 'stall'] as const)('%s before the server saw the request', async (kind) => {
    const { seen, served, passed } = await through({ kind, in: 'request', at: 20 })
    expect(seen).toStartWith('failed')
    expect([served, passed]).toEqual([0, 20])
  })

  test.each(['reset', 'close', 'stall'] as const)('%s in the middle of the answer', async (kind) => {
    const { seen, served, passed } = await through({ kind, in: 'response', at: 300 })
    expect(seen).toStartWith('failed')
    expect([served, passed]).toEqual([1, 300])
  })

  test('delays and drips without loss', async () => {
    for (const kind of ['delay', 'drip'] as const) {
      const { seen } = await through({ kind, in: 'response', at: 300, ms: 5 })
      expect(seen).toBe('x'.repeat(1_000))
    }
  })

  test('garbles what comes after an offset', async () => {
    const { seen } = await through({ kind: 'garble', in: 'response', at: 700 })
    expect(seen).toMatch(/^x+#+$/)
  })
})
