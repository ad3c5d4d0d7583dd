import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { SandboxUsageError } from '../../src/errors.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { baseUrl, bash, eventually, post } from './support.ts'

let place: string
let started: () => Promise<void>
let sandbox: Sandbox
beforeEach(async () => {
  place = mkdtempSync(join(tmpdir(), 'drain-test-'))
  const { promise, resolve } = Promise.withResolvers<void>()
  started = () => promise
  const dataDir = join(place, 'data')
  sandbox = await createSandbox({ dataDir, slots: 2, isolation: 'none', onCall: () => resolve() })
})
afterEach(async () => {
  await sandbox.stop()
  rmSync(place, { recursive: true, force: true })
})

/** A command that ends when the test says so. */
const untilGo = () => `until [ -e ${place}/go ]; do sleep 0.01; done; echo done`
const go = () => writeFileSync(join(place, 'go'), '')
const get = (path: string) => sandbox.handler(new Request(baseUrl + path))

describe('while it drains', () => {
  test('what was accepted ends by itself, also behind another call', async () => {
    const running = bash(sandbox, untilGo())
    const waiting = bash(sandbox, 'echo next')
    await started()
    const stopped = sandbox.stop({ drainTimeoutMs: 60_000 })
    go()
    expect(await running).toMatchObject({ success: true, output: 'done' })
    expect(await waiting).toMatchObject({ success: true, output: 'next' })
    await stopped
    expect(readdirSync(join(place, 'data')).sort()).toEqual(['.sandbox-slots-ledger', 'slot_0', 'slot_1'])
  })

  test('a batch that was accepted is run to its last item', async () => {
    const item = { slot_id: 'slot_0', tool: 'write_file', args: { path: 'a', content: 'x' } }
    const answer = post(sandbox, '/batch', Array(1_000).fill(item))
    await started()
    await sandbox.stop({ drainTimeoutMs: 60_000 })
    const results = v.parse(v.array(v.object({ success: v.boolean() })), await (await answer).json())
    expect(results.filter(({ success }) => success)).toHaveLength(1_000)
  })

  test('what is new is refused, and told when to come again', async () => {
    const running = bash(sandbox, untilGo())
    await started()
    const stopped = sandbox.stop({ drainTimeoutMs: 60_000 })
    const call = { slot_id: 'slot_1', tool: 'bash', args: { command: `touch ${place}/ran` } }
    for (const [path, body] of [
      ['/execute', call],
      ['/batch', [call]],
      ['/reset', { slot_id: 'slot_1' }],
      ['/artifacts/list', { slot_id: 'slot_1', path: '.' }],
    ] as const) {
      const answer = await post(sandbox, path, body)
      expect(answer.status).toBe(503)
      expect(Number(answer.headers.get('retry-after'))).toBeWithin(1, 61)
      expect(await answer.json()).toEqual({
        success: false,
        error: 'The server stops',
        code: 'server_stopping',
      })
    }
    const health = await get('/health')
    expect(health.status).toBe(503)
    expect(await health.json()).toMatchObject({ status: 'stopping', executing: 1 })
    expect((await get('/slots')).status).toBe(200)
    go()
    await running
    await stopped
    expect(readdirSync(place)).not.toContain('ran')
  })

  test('what does not end in time is killed', async () => {
    const running = bash(sandbox, untilGo())
    await started()
    await sandbox.stop({ drainTimeoutMs: 50 })
    expect((await running).error).toBe('Command was killed: the server stops')
  })

  test('a second stop, without time, kills at once', async () => {
    const running = bash(sandbox, untilGo())
    await started()
    const first = sandbox.stop({ drainTimeoutMs: 86_400_000 })
    await sandbox.stop()
    expect((await running).error).toBe('Command was killed: the server stops')
    await first
  })
})

test.each([
  [{ drainTimeout: 5 }, 'drainTimeout is not an option of stop; known: drainTimeoutMs'],
  [{ drainTimeoutMs: -1 }, 'drainTimeoutMs must be an integer from 0 to 86400000; got -1'],
  [{ drainTimeoutMs: Number.NaN }, 'drainTimeoutMs must be'],
])('stop(%j) is misuse', async (options, message) => {
  const stopping: Promise<unknown> = Reflect.apply(sandbox.stop, undefined, [options])
  const thrown = await stopping.catch((error: unknown) => error)
  expect(thrown).toBeInstanceOf(SandboxUsageError)
  expect(String(thrown)).toContain(message)
})

test('a client that reads slowly gets its answer before the port closes', async () => {
  const dataDir = join(place, 'other')
  const server = await startSandboxServer({ dataDir, slots: 100, isolation: 'none' })
  const big = 'x'.repeat(49_000)
  const calls = (tool: string, args: object) =>
    Array.from({ length: 100 }, (_, index) => ({ slot_id: `slot_${index}`, tool, args }))
  for (const item of calls('write_file', { path: 'big', content: big })) {
    await fetch(`${server.url}/execute`, { method: 'POST', body: Buffer.from(JSON.stringify(item)) })
  }
  // More than the buffers of a connection hold.
  const body = JSON.stringify([1, 2, 3, 4].flatMap(() => calls('read_file', { path: 'big' })))
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  const firstBytes = Promise.withResolvers<void>()
  let bytes = 0
  const { hostname, port } = new URL(server.url)
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      data(socket, chunk) {
        if (bytes === 0) socket.pause()
        bytes += chunk.length
        firstBytes.resolve()
      },
      close: () => resolve(),
    },
  })
  socket.write(
    `POST /batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  await firstBytes.promise
  const stopped = server.stop()
  // Everything but the delivery is over.
  expect(await eventually(() => !readdirSync(dataDir).includes('.sandbox-slots.lock'))).toBe(true)
  await Bun.sleep(100)
  socket.resume()
  await stopped
  await closed
  expect(bytes).toBeGreaterThan(400 * big.length)
})
