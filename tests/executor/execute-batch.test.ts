import { describe, expect, test } from 'bun:test'
import { SandboxUsageError } from '../../mod.ts'
import { scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

const command = { command: 'x' }
const ids = (script: ReturnType<typeof scripted>) =>
  script.posts.map((post) => post.calls.map((call) => call.execution_id))

describe('executeBatch', () => {
  test('of nothing is nothing', async () => {
    await using script = scripted()
    expect(await script.executor.executeBatch([])).toEqual([])
    expect(script.healthChecks).toBe(0)
  })

  test('posts once per container, containers side by side, results in the order of the items', async () => {
    await using script = scripted()
    const [a, b] = script.executor.slots('one:1', 2)
    const [c, d] = script.executor.slots('two:1', 2)
    const running = script.executor.executeBatch([
      { slot: the(d), tool: 'bash', args: command, executionId: 'D' },
      { slot: the(a), tool: 'bash', args: command, executionId: 'A' },
      { slot: the(c), tool: 'bash', args: command, executionId: 'C' },
      { slot: the(b), tool: 'bash', args: command, executionId: 'B', timeoutMs: 2_000 },
    ])
    await settled()
    expect(script.posts.map((post) => `${post.host}${post.route}`).sort()).toEqual([
      'one:1/batch',
      'two:1/batch',
    ])
    expect(the(script.posts.find((post) => post.host === 'one:1')).calls).toMatchObject([
      { execution_id: 'A', timeout: 30 },
      { execution_id: 'B', timeout: 2 },
    ])
    script.automatic()
    expect((await running).map((result) => result.output)).toEqual(['D', 'A', 'C', 'B'])
  })

  test('sends one item to /execute', async () => {
    await using script = scripted()
    script.automatic()
    const [a] = script.executor.slots('one:1', 1)
    await script.executor.executeBatch([[the(a), 'bash', command]])
    expect(script.posts.map((post) => post.route)).toEqual(['/execute'])
  })

  test('a slot that appears twice gets a second POST, in order', async () => {
    await using script = scripted()
    const [a, b] = script.executor.slots('one:1', 2)
    const running = script.executor.executeBatch([
      { slot: the(a), tool: 'bash', args: command, executionId: 'a1' },
      { slot: the(a), tool: 'bash', args: command, executionId: 'a2' },
      { slot: the(b), tool: 'bash', args: command, executionId: 'b1' },
    ])
    await settled()
    expect(ids(script)).toEqual([['a1', 'b1']])
    script.automatic()
    expect((await running).map((result) => result.output)).toEqual(['a1', 'a2', 'b1'])
    expect(ids(script)).toEqual([['a1', 'b1'], ['a2']])
  })

  test('a container that fails fails only its own calls', async () => {
    await using script = scripted()
    const [a, b] = [...script.executor.slots('one:1', 1), ...script.executor.slots('two:1', 1)]
    const running = script.executor.executeBatch([
      [the(a), 'bash', command],
      [the(b), 'bash', command],
    ])
    await settled()
    the(script.posts.find((post) => post.host === 'one:1')).answer(new Response('boom', { status: 500 }))
    the(script.posts.find((post) => post.host === 'two:1')).succeed()
    expect(await running).toMatchObject([
      { outcome: 'unknown', error: 'HTTP 500: boom', failure: { code: 'http-error', attempts: 1 } },
      { outcome: 'exited', success: true },
    ])
  })

  test('a missing item is an error of that item', async () => {
    await using script = scripted()
    const [a, b] = script.executor.slots('one:1', 2)
    const running = script.executor.executeBatch([
      { slot: the(a), tool: 'bash', args: command, executionId: 'A' },
      { slot: the(b), tool: 'bash', args: command, executionId: 'B' },
    ])
    await settled()
    the(script.posts[0]).answer(Response.json([{ success: true, execution_id: 'B' }]))
    expect(await running).toMatchObject([
      { outcome: 'unknown', error: 'Missing result in batch response', failure: { code: 'missing-result' } },
      { outcome: 'exited' },
    ])
  })

  test('is split by the limits of calls and bytes', async () => {
    await using script = scripted({ batching: { maxCalls: 2, maxBytes: 2_000 } })
    script.automatic()
    const slots = script.executor.slots('one:1', 5)
    await script.executor.executeBatch(slots.map((slot) => [slot, 'bash', command] as const))
    expect(script.posts.map((post) => post.calls.length)).toEqual([2, 2, 1])
    script.posts.length = 0
    const content = 'é'.repeat(600)
    await script.executor.executeBatch(
      slots.slice(0, 2).map((slot) => [slot, 'write_file', { path: 'x', content }] as const),
    )
    expect(script.posts.map((post) => post.calls.length)).toEqual([1, 1])
  })

  test('is split by its true bytes, however small its calls are', async () => {
    await using script = scripted({ batching: { maxBytes: 2_000 } })
    script.automatic()
    const slots = script.executor.slots('one:1', 10)
    const content = 'y'.repeat(300)
    await script.executor.executeBatch(
      slots.map((slot) => [slot, 'write_file', { path: 'x', content }] as const),
    )
    expect(script.posts.map((post) => post.calls.length)).toEqual([4, 4, 2])
  })

  test('runs nothing when an item is misused, and names the item', async () => {
    await using script = scripted()
    const [a] = script.executor.slots('one:1', 1)
    const good = [the(a), 'bash', command] as const
    for (const bad of [[the(a), 'bash'], { slot: the(a), tool: 'bash', args: command, timeout: 3 }, 7]) {
      const error = await script.executor
        .executeBatch([good, bad as never])
        .catch((reason: unknown) => reason)
      expect(error).toBeInstanceOf(SandboxUsageError)
      expect((error as Error).message).toContain('item 1 of executeBatch')
    }
    const twice = { slot: the(a), tool: 'bash', args: command, executionId: 'same' }
    expect(script.executor.executeBatch([twice, twice])).rejects.toThrow('two of its items are same')
    expect(script.executor.executeBatch([good], { timeoutMs: -1 })).rejects.toThrow(SandboxUsageError)
    await settled()
    expect([script.posts.length, script.executor.pending]).toEqual([0, 0])
  })
})

describe('batching of execute', () => {
  test('calls of one tick share a post, later ones get their own', async () => {
    await using script = scripted()
    const slots = script.executor.slots('one:1', 6)
    const first = slots.slice(0, 4).map((slot) => slot.readFile('x'))
    await settled()
    const later = slots.slice(4).map((slot) => slot.readFile('x'))
    await settled()
    expect(script.posts.map((post) => [post.route, post.calls.length])).toEqual([
      ['/batch', 4],
      ['/batch', 2],
    ])
    script.automatic()
    await Promise.all([...first, ...later])
  })

  test('a full batch does not wait for the end of the tick, and a window collects for as long as it is', async () => {
    await using script = scripted({ batching: { windowMs: 20, maxCalls: 3 } })
    const slots = script.executor.slots('one:1', 5)
    script.automatic()
    const warm = the(slots[0]).readFile('x')
    script.clock.increment(20)
    await warm
    script.posts.length = 0
    const running = slots.map((slot) => slot.readFile('x'))
    await settled()
    expect(script.posts.map((post) => post.calls.length)).toEqual([3])
    script.clock.increment(20)
    await Promise.all(running)
    expect(script.posts.map((post) => post.calls.length)).toEqual([3, 2])
  })

  test('an unknown command meets at most 8 others, and none of another timeout class (promise 12)', async () => {
    await using script = scripted()
    const slots = script.executor.slots('one:1', 64)
    const running = slots.map((slot, index) =>
      slot.bash('x', { timeoutMs: index % 2 === 0 ? 5_000 : 50_000 }),
    )
    await settled()
    for (const post of script.posts) {
      expect(post.calls.length).toBeLessThanOrEqual(9)
      expect(new Set(post.calls.map((call) => call.timeout)).size).toBe(1)
    }
    expect(script.posts).toHaveLength(8)
    script.automatic()
    await Promise.all(running)
  })

  test('the calls of executeBatch and of execute do not wait for each other', async () => {
    await using script = scripted()
    const slots = script.executor.slots('one:1', 4)
    const single = the(slots[0]).readFile('x')
    const batch = script.executor.executeBatch(
      slots.slice(1).map((slot) => [slot, 'read_file', { path: 'x' }] as const),
    )
    await settled()
    expect(script.posts.map((post) => post.calls.length)).toEqual([1, 3])
    script.automatic()
    await Promise.all([single, batch])
  })
})
