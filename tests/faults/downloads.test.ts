/** Downloads from our own server behind a proxy that breaks connections: the file comes, whole and right. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { SandboxExecutor } from '../../mod.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { type RealServer, startRealServer } from '../support/real-server.ts'

const content = Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 7 + (at >> 8)) & 255)
let server: RealServer
beforeAll(async () => {
  server = await startRealServer({ slots: 1, level: 'extended' })
  await using executor = new SandboxExecutor()
  expect(await executor.slots(server.url, 1)[0].upload('file', content)).toMatchObject({ success: true })
})
afterAll(() => server[Symbol.asyncDispose]())

/** Reads the file through faults, each of which strikes one request for it. */
async function downloaded(faults: readonly Fault[], timeoutMs = 60_000) {
  const left = [...faults]
  await using proxy = await startFaultProxy({
    target: server.url,
    plan: { request: ({ path }) => (path.startsWith('/files/') ? left.shift() : undefined) },
  })
  await using executor = new SandboxExecutor({ timeoutMs, retry: { delayMs: 5 } })
  const down = await executor.slots(proxy.url, 1)[0].download('file')
  const bytes = await new Response(down.body).bytes().catch((thrown: unknown) => String(thrown))
  const requests = proxy.requests.filter(({ path }) => path.startsWith('/files/'))
  return {
    bytes,
    requests: requests.length,
    sent: requests.reduce((sum, each) => sum + each.responseBytes, 0),
  }
}

const places = [0, 1, 150, 400, 700, 70_000, 1_500_000, 2_700_000, 3_000_000]

test.each(['reset', 'close'] as const)('%s anywhere in the answer', async (kind) => {
  for (const at of places) {
    const { bytes, sent } = await downloaded([{ kind, in: 'response', at }])
    expect(bytes).toEqual(content)
    // What had come is not sent again, but for what was on its way.
    if (at === 2_700_000) expect(sent).toBeLessThan(4_500_000)
  }
})

test('a connection that dies without a word', async () => {
  const { bytes } = await downloaded([{ kind: 'stall', in: 'response', at: 2_700_000 }], 1_000)
  expect(bytes).toEqual(content)
})

test('twice; a third time, and it fails', async () => {
  const cut = (at: number): Fault => ({ kind: 'reset', in: 'response', at })
  expect((await downloaded([cut(1_000_000), cut(1_000_000)])).bytes).toEqual(content)
  const { bytes, requests } = await downloaded([cut(500_000), cut(500_000), cut(500_000)])
  expect(bytes).toContain('in 3 attempts')
  expect(requests).toBe(3)
})
