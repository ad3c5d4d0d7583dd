/** What our client makes of every answer that was recorded from a real base server. */
import { describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { artifactBytes, createMemoryTransport, SandboxExecutor, type Slot } from '../../mod.ts'
import { matchResults } from '../../src/batching/match-results.ts'
import { slotsResponse } from '../../src/protocol/health.ts'
import { wrongArgumentOf } from '../../src/protocol/tools.ts'
import { the } from '../support/the.ts'
import { type Exchange, hasVectors, recordedResponse, vectors } from '../support/vectors.ts'

const request = v.object({
  slot_id: v.optional(v.string(), 'slot_0'),
  tool: v.optional(v.string(), 'bash'),
  args: v.optional(v.unknown(), {}),
  execution_id: v.optional(v.string(), 'without-id'),
  path: v.optional(v.string(), '.'),
  encoding: v.optional(v.string(), 'text'),
  include_sha256: v.optional(v.boolean(), false),
  max_bytes: v.optional(v.number()),
})
const answerBody = v.object({
  success: v.boolean(),
  output: v.optional(v.string(), ''),
  error: v.optional(v.string(), ''),
  metadata: v.optional(v.record(v.string(), v.unknown()), {}),
})

/** An executor whose container gives the recorded answer to everything but its first look at /health. */
function replaying(exchange: Exchange): { executor: SandboxExecutor; posts: () => string[] } {
  const posts: string[] = []
  const transport = createMemoryTransport(async (received) => {
    const { pathname } = new URL(received.url)
    if (received.method === 'GET' && exchange.request.method === 'POST')
      return Response.json({ status: 'ok' })
    posts.push(pathname)
    return recordedResponse(exchange)
  })
  return { executor: new SandboxExecutor({ transport }), posts: () => posts }
}

/** A call that lacks an argument never leaves our client. */
const isSent = ({ request: { body } }: Exchange) => {
  const { tool, args } = v.parse(request, body)
  return wrongArgumentOf(tool, Object(args)) === undefined
}

const byPath = (path: string) => vectors.filter((exchange) => exchange.request.path === path)

describe.skipIf(!hasVectors)('recorded answers of a base server', () => {
  const answered = byPath('/execute').filter((each) => each.response.status === 200)
  for (const exchange of answered.filter(isSent)) {
    test(`/execute ${exchange.name}: the tool's own result`, async () => {
      const { executor, posts } = replaying(exchange)
      await using _ = executor
      const body = v.parse(request, exchange.request.body)
      const slot = executor.slot({ slotId: body.slot_id, containerAddr: 'http://vectors' })
      const args = v.is(v.record(v.string(), v.unknown()), body.args) ? body.args : {}
      const result = await executor.execute(slot, body.tool, args, { executionId: body.execution_id })
      const recorded = v.parse(answerBody, exchange.response.json)
      expect(result).toMatchObject(recorded)
      expect(result.outcome).toBe(recorded.metadata.timeout === true ? 'timed-out' : 'exited')
      expect(result.failure).toBeUndefined()
      expect(posts()).toEqual(['/execute'])
    })
  }

  test.each([
    ['execute-invalid-json', 'not-run', 'HTTP 400: Invalid JSON'],
    ['execute-array-body', 'unknown', "HTTP 500: 'list' object has no attribute 'get'"],
    ['batch-object-body', 'not-run', 'HTTP 400: Expected array of requests'],
    ['batch-bad-item', 'unknown', "HTTP 500: 'int' object has no attribute 'get'"],
    ['wrong-method', 'not-run', 'HTTP 405: 405: Method Not Allowed'],
    ['unknown-route', 'not-run', 'HTTP 404: 404: Not Found'],
  ] as const)('%s: the infrastructure failed, %s', async (name, outcome, message) => {
    const { executor, posts } = replaying(asPost(name))
    await using _ = executor
    const result = await executor.execute(slotOf(executor), 'bash', { command: 'true' })
    expect(result).toMatchObject({ success: false, outcome, error: message })
    expect(result.failure).toEqual({ code: 'http-error', message, attempts: 1 })
    expect(posts()).toHaveLength(1)
  })

  test('oversized-body: nothing of it ran, told with the size', async () => {
    const { executor, posts } = replaying(asPost('oversized-body'))
    await using _ = executor
    const args = { path: 'x', content: 'x'.repeat(1_100_000) }
    const result = await executor.execute(slotOf(executor), 'write_file', args)
    expect(result).toMatchObject({ outcome: 'not-run', failure: { code: 'too-large', attempts: 1 } })
    expect(result.error).toMatch(/its request has 1100\d{3} bytes.*Request Entity Too Large/)
    expect(posts()).toHaveLength(1)
  })

  test('batch-mixed: each item goes to its call', async () => {
    const exchange = named('batch-mixed')
    const { executor, posts } = replaying(exchange)
    await using _ = executor
    const requests = v.parse(v.array(request), exchange.request.body)
    const results = await executor.executeBatch(
      requests.map(({ slot_id: slotId, tool, args, execution_id: executionId }) => ({
        slot: executor.slot({ slotId, containerAddr: 'http://vectors' }),
        tool,
        args: v.parse(v.record(v.string(), v.unknown()), args),
        executionId,
      })),
    )
    expect(results).toMatchObject(v.parse(v.array(answerBody), exchange.response.json))
    expect(results.map((result) => result.executionId)).toEqual(['b0', 'b1', 'b2', 'b3', 'b4'])
    expect(posts()).toEqual(['/batch'])
  })

  test('batch-args-not-object: an item without an id is taken by its position', () => {
    const items = v.parse(v.array(v.unknown()), named('batch-args-not-object').response.json)
    expect(matchResults([{ executionId: 'g' }], items, 200)).toMatchObject([
      { kind: 'answered', value: { success: false, error: "'str' object has no attribute 'get'" } },
    ])
  })

  test('batch-empty: nothing is posted', async () => {
    const { executor, posts } = replaying(named('batch-empty'))
    await using _ = executor
    expect(await executor.executeBatch([])).toEqual([])
    expect(posts()).toEqual([])
  })

  test('health and slots', async () => {
    const { executor } = replaying(named('health'))
    await using _ = executor
    expect(await executor.healthCheck('vectors')).toBe(true)
    expect(await executor.getContainerStatus('vectors')).toEqual({
      status: 'ok',
      slots: 4,
      available: 4,
      executing: 0,
      dataDir: '/data',
      bwrapAvailable: true,
      statefulDir: '/stateful',
      raw: {},
    })
    expect(v.parse(slotsResponse, named('slots').response.json).slots[3]).toEqual({
      slot_id: 'slot_3',
      state: 'available',
      workspace_dir: '/data/slot_3',
      current_execution_id: null,
    })
  })

  test.each(['reset', 'reset-unknown'])('%s', async (name) => {
    const exchange = named(name)
    const { executor, posts } = replaying(exchange)
    await using _ = executor
    const slot = slotOf(executor)
    const result = await executor.resetSlot(slot)
    const recorded = v.parse(answerBody, exchange.response.json)
    expect(result).toMatchObject({ ...recorded, slotId: 'slot_0', outcome: 'exited' })
    expect(slot.state).toBe(recorded.success ? 'idle' : 'faulted')
    expect(posts()).toEqual(['/reset'])
  })
})

describe.skipIf(!hasVectors)('recorded answers to artifact calls', () => {
  for (const exchange of byPath('/artifacts/read')) {
    test(`read: ${exchange.name}`, async () => {
      const { executor } = replaying(exchange)
      await using _ = executor
      const { path } = v.parse(v.fallback(request, v.getDefaults(request)), exchange.request.body ?? {})
      const result = await executor.readArtifact(slotOf(executor), path ?? '.')
      expect(result).toMatchObject(expectedArtifact(exchange))
    })
  }

  for (const exchange of byPath('/artifacts/list')) {
    test(`list: ${exchange.name}`, async () => {
      const { executor } = replaying(exchange)
      await using _ = executor
      const result = await executor.listArtifacts(slotOf(executor))
      const recorded = v.parse(listing, exchange.response.json)
      expect(result).toMatchObject({
        ...expectedArtifact(exchange),
        entries: recorded.entries.map(({ path, is_dir: isDir, size, mtime }) => ({
          path,
          isDir,
          size,
          mtime,
        })),
        truncated: recorded.truncated,
      })
    })
  }

  for (const exchange of byPath('/artifacts/archive')) {
    test(`archive: ${exchange.name}`, async () => {
      const { executor } = replaying(exchange)
      await using _ = executor
      const result = await executor.archiveArtifacts(slotOf(executor))
      expect(result).toMatchObject(expectedArtifact(exchange))
      if (result.success) expect(artifactBytes(result).byteLength).toBe(result.bytes)
    })
  }
})

const listing = v.object({
  entries: v.optional(
    v.array(v.object({ path: v.string(), is_dir: v.boolean(), size: v.number(), mtime: v.number() })),
    [],
  ),
  truncated: v.optional(v.boolean(), false),
})

/** The recorded fields by the names they have here. */
function expectedArtifact({ response }: Exchange): object {
  const recorded = v.parse(v.record(v.string(), v.unknown()), response.json)
  const { file_size, entry_count, entries: _, ...same } = recorded
  return {
    ...same,
    ...(file_size === undefined ? {} : { fileSize: file_size }),
    ...(entry_count === undefined ? {} : { entryCount: entry_count }),
    httpStatus: response.status,
  }
}

function named(name: string): Exchange {
  return the(vectors.find((exchange) => exchange.name === name))
}

/** The exchange as if it had been an answer to a call. */
function asPost(name: string): Exchange {
  const exchange = named(name)
  return { ...exchange, request: { ...exchange.request, method: 'POST' } }
}

function slotOf(executor: SandboxExecutor): Slot {
  return executor.slot({ slotId: 'slot_0', containerAddr: 'http://vectors' })
}
