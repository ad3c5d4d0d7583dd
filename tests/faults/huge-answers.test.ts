/** Answers without end, or that grow when they are unpacked, are cut off without being held (promise 9, client). */
import { expect, test } from 'bun:test'
import { gzipSync } from 'node:zlib'
import { SandboxExecutor } from '../../mod.ts'

const megabyte = new Uint8Array(1024 * 1024).fill(97)

/** A server whose every POST is answered with `body()`; counts the megabytes that were taken from it. */
function hugeServer(answer: (taken: () => void) => Response) {
  let taken = 0
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request) =>
      request.method === 'GET'
        ? Response.json({ status: 'ok' })
        : answer(() => {
            taken += 1
          }),
  })
  return { url: server.url.origin, taken: () => taken, [Symbol.asyncDispose]: () => server.stop(true) }
}

/** 300 MB, a megabyte at a time. */
function stream(taken: () => void): ReadableStream<Uint8Array> {
  let left = 300
  return new ReadableStream(
    {
      pull: (controller) => {
        taken()
        if (left === 0) controller.close()
        else controller.enqueue(megabyte)
        left -= 1
      },
    },
    { highWaterMark: 0 },
  )
}

test('a reply of 300 MB is given up after its budget', async () => {
  await using server = hugeServer((taken) => new Response(stream(taken)))
  await using executor = new SandboxExecutor()
  const result = await executor.slots(server.url, 1)[0].bash('x')
  expect(result).toMatchObject({ outcome: 'unknown', failure: { code: 'too-large', attempts: 1 } })
  expect(result.error).toContain('larger than 2097152 bytes')
  expect(server.taken()).toBeLessThan(50)
})

test('a gzip bomb is given up after its budget', async () => {
  const bomb = gzipSync(Buffer.alloc(300 * 1024 * 1024))
  await using server = hugeServer(() => new Response(bomb, { headers: { 'content-encoding': 'gzip' } }))
  await using executor = new SandboxExecutor()
  const result = await executor.slots(server.url, 1)[0].bash('x')
  expect(result).toMatchObject({ outcome: 'unknown', failure: { code: 'too-large' } })
})

test('one container that floods does not disturb the calls to another', async () => {
  await using flooding = hugeServer((taken) => new Response(stream(taken)))
  await using good = hugeServer(() => Response.json({ success: true, output: 'fine' }))
  await using executor = new SandboxExecutor()
  const [a, b] = [executor.slots(flooding.url, 1)[0], executor.slots(good.url, 1)[0]]
  const [bad, fine] = await executor.executeBatch([
    [a, 'bash', { command: 'x' }],
    [b, 'bash', { command: 'x' }],
  ])
  expect([bad?.outcome, fine?.output]).toEqual(['unknown', 'fine'])
})
