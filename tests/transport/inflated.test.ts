import { expect, test } from 'bun:test'
import { SandboxExecutor } from '../../mod.ts'
import { inflated, isBun } from '../../src/transport/inflated.ts'

function packed(text: string, chunkBytes: number, onCancel = () => {}): Response {
  const bytes = Bun.gzipSync(Buffer.from(text))
  let at = 0
  const body = new ReadableStream({
    pull: (controller) => {
      if (at >= bytes.length) return controller.close()
      controller.enqueue(bytes.subarray(at, at + chunkBytes))
      at += chunkBytes
    },
    cancel: onCancel,
  })
  return new Response(body, { status: 201, headers: { 'content-encoding': 'gzip', 'x-kept': 'yes' } })
}

test('this is Bun', () => {
  expect(isBun).toBe(true)
})

test.each([1, 700, 100_000])(
  'what comes packed in chunks of %d bytes is what was packed',
  async (chunkBytes) => {
    const text = Array.from({ length: 2_000 }, () => crypto.randomUUID()).join('')
    const response = inflated(packed(text, chunkBytes))
    expect([response.status, response.headers.get('x-kept')]).toEqual([201, 'yes'])
    expect(await response.text()).toBe(text)
  },
)

test('what is not packed is left as it is', () => {
  const response = new Response('x')
  expect(inflated(response)).toBe(response)
})

test('a packed answer that is given up is not read on', async () => {
  let isCancelled = false
  const response = inflated(
    packed('x'.repeat(50_000_000), 2_000, () => {
      isCancelled = true
    }),
  )
  const reader = response.body?.getReader()
  await reader?.read()
  await reader?.cancel()
  expect(isCancelled).toBe(true)
})

test('a server that packs its answers is understood', async () => {
  const headers = { 'content-encoding': 'gzip', 'content-type': 'application/json' }
  const asked: (string | null)[] = []
  using server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      asked.push(request.headers.get('accept-encoding'))
      const { execution_id } = Object(request.method === 'POST' ? await request.json() : {})
      const answer = { status: 'ok', success: true, output: 'hi', error: '', execution_id, metadata: {} }
      return new Response(Bun.gzipSync(JSON.stringify(answer)), { headers })
    },
  })
  await using executor = new SandboxExecutor()
  const [slot] = executor.slots(server.url.origin, 1)
  expect(await slot.bash('echo hi')).toMatchObject({ outcome: 'exited', output: 'hi' })
  expect(asked).toEqual(['gzip', 'gzip'])
})
