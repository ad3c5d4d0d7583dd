/** From the executor to the tools and back without a port: memory transport, the server's own handler. */
import { describe, expect, test } from 'bun:test'
import { createMemoryTransport, SandboxExecutor } from '../../mod.ts'
import { createSandbox } from '../../src/server/sandbox.ts'
import { the } from '../support/the.ts'

async function start() {
  const sandbox = await createSandbox({ slots: 4, isolation: 'none' })
  const executor = new SandboxExecutor({ transport: createMemoryTransport(sandbox.handler) })
  const slots = executor.slots('http://127.0.0.1', 4)
  const stop = async () => {
    await executor.close()
    await sandbox.stop()
  }
  return { executor, slots, slot: the(slots[0]), [Symbol.asyncDispose]: stop }
}

describe('a call walks all the way', () => {
  test('files and commands of one slot share a workspace; other slots have theirs', async () => {
    await using flow = await start()
    const { slots, slot } = flow
    await slot.writeFile('a/b.txt', 'héllo')
    expect((await slot.bash('cat a/b.txt; exit 3')).output).toBe('héllo')
    expect((await slot.readFile('a/b.txt')).output).toBe('héllo')
    expect(await the(slots[1]).readFile('a/b.txt')).toMatchObject({
      success: false,
      error: 'File not found: a/b.txt',
    })
  })

  test('a batch of all kinds, a slot twice', async () => {
    await using flow = await start()
    const [a, b] = flow.slots
    const results = await flow.executor.executeBatch([
      [the(a), 'write_file', { path: 'x', content: 'one' }],
      [the(b), 'bash', { command: 'echo two' }],
      [the(a), 'bash', { command: 'cat x' }],
      [the(b), 'nonsense', {}],
    ])
    expect(results.map((result) => result.output || result.error)).toEqual([
      'Successfully wrote 3 bytes to x',
      'two',
      'one',
      'Unknown tool: nonsense',
    ])
  })

  test('a timeout told by the server is timed-out; the slot goes on', async () => {
    await using flow = await start()
    const result = await flow.slot.bash('sleep 20', { timeoutMs: 200 })
    expect(result).toMatchObject({ outcome: 'timed-out', error: 'Command timed out after 0.2s' })
    expect((await flow.slot.bash('echo on')).output).toBe('on')
  })

  test('a reset empties the workspace', async () => {
    await using flow = await start()
    await flow.slot.writeFile('x', 'x')
    expect((await flow.slot.reset()).output).toBe('Reset workspace for slot_0')
    expect((await flow.slot.artifacts.list()).entries).toEqual([])
  })

  test('200 writes of 100 kB in one tick: all succeed (promise 8)', async () => {
    const sandbox = await createSandbox({ slots: 200, isolation: 'none' })
    const bodies: number[] = []
    const transport = createMemoryTransport((request) => {
      bodies.push(Number(request.headers.get('content-length') ?? 0))
      return sandbox.handler(request)
    })
    await using executor = new SandboxExecutor({ transport })
    const content = 'x'.repeat(100_000)
    const slots = executor.slots('http://127.0.0.1', 200)
    const results = await Promise.all(slots.map((slot) => slot.writeFile('big.txt', content)))
    expect(results.filter((result) => !result.success)).toEqual([])
    expect(bodies.length).toBeLessThan(60)
    await sandbox.stop()
  }, 60_000)
})
