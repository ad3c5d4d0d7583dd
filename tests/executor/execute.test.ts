import { describe, expect, test } from 'bun:test'
import { SandboxError, SandboxExecutor, SandboxUsageError, toToolResult } from '../../mod.ts'
import { scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

const uuid = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/

describe('execute', () => {
  test('posts a lone call to /execute, after one look at /health', async () => {
    await using script = scripted()
    script.automatic()
    const slot = script.executor.slot({ slotId: 'slot_3', containerAddr: 'host:1' })
    const result = await script.executor.execute(slot, 'bash', { command: 'x' }, { timeoutMs: 1_500 })
    expect(script.healthChecks).toBe(1)
    expect(script.posts).toMatchObject([
      { route: '/execute', calls: [{ slot_id: 'slot_3', tool: 'bash', timeout: 1.5 }] },
    ])
    expect(result).toMatchObject({
      success: true,
      slotId: 'slot_3',
      outcome: 'exited',
      error: '',
      metadata: {},
    })
    expect(result.executionId).toMatch(uuid)
    expect(result.failure).toBeUndefined()
  })

  test('gives a frozen result that survives JSON', async () => {
    await using script = scripted()
    script.automatic()
    const [slot] = script.executor.slots('host:1', 1)
    const result = await script.executor.execute(the(slot), 'bash', { command: 'x' })
    expect([result, result.metadata, result.timing].every(Object.isFrozen)).toBe(true)
    expect(JSON.parse(JSON.stringify(result))).toEqual(result)
  })

  test('asks /health once for all calls of a container', async () => {
    await using script = scripted()
    script.automatic()
    const slots = script.executor.slots('host:1', 5)
    await Promise.all(slots.map((slot) => slot.bash('x')))
    await Promise.all(slots.map((slot) => slot.bash('x')))
    expect(script.healthChecks).toBe(1)
  })

  test('runs the calls of one slot one after the other, in order', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('host:1', 1)
    const calls = ['a', 'b', 'c'].map((executionId) => the(slot).bash('x', { executionId }))
    for (const id of ['a', 'b', 'c']) {
      await settled()
      const post = the(script.posts.at(-1))
      expect(post.calls.map((call) => call.execution_id)).toEqual([id])
      expect(the(slot).state).toBe('executing')
      post.succeed()
    }
    expect((await Promise.all(calls)).map((result) => result.output)).toEqual(['a', 'b', 'c'])
    expect(the(slot).state).toBe('idle')
  })

  test('tells what the tool said as the tool said it, and its own time', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('host:1', 1)
    const running = the(slot).bash('exit 3')
    await settled()
    const metadata = { exit_code: 3, duration: 0.003971 }
    the(script.posts[0]).answer(
      Response.json({ success: false, output: 'o', error: 'Exit code: 3', metadata }),
    )
    const result = await running
    expect(result).toMatchObject({
      success: false,
      output: 'o',
      error: 'Exit code: 3',
      metadata,
      outcome: 'exited',
    })
    expect(result.timing.toolMs).toBe(3.971)
    expect(result.timing.queuedMs + result.timing.wireMs).toBeCloseTo(result.timing.totalMs, 2)
    expect(toToolResult(result)).toEqual({
      success: false,
      output: 'o',
      error: 'Exit code: 3',
      metadata,
      uniqId: result.executionId,
    })
  })

  test('a timeout that the server tells is timed-out', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('host:1', 1)
    const running = the(slot).bash('sleep 9')
    await settled()
    the(script.posts[0]).answer(Response.json({ success: false, metadata: { timeout: true, exit_code: -1 } }))
    expect(await running).toMatchObject({ outcome: 'timed-out', success: false })
  })
})

describe('misuse rejects with the name of the field, and nothing is posted (promise 16)', () => {
  const bad: [string, string, unknown][] = [
    ['timeoutMs', 'timeoutMs', { timeoutMs: Number.NaN }],
    ['timeoutMs', 'timeoutMs', { timeoutMs: '5' }],
    ['timeoutMs', 'timeoutMs', { timeoutMs: -1 }],
    ['timeoutMs', 'timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', 'timeoutMs', { timeoutMs: Number.POSITIVE_INFINITY }],
    ['timeout', 'Unknown option timeout in call options; known: timeoutMs, signal', { timeout: 5 }],
    ['signal', 'signal', { signal: {} }],
    ['executionId', 'executionId', { executionId: '' }],
    ['executionId', 'executionId', { executionId: '\ud800' }],
    ['executionId', 'executionId', { executionId: 7 }],
  ]
  test.each(bad)('option %s: %s %p', async (field, message, options) => {
    await using script = scripted()
    const [slot] = script.executor.slots('host:1', 1)
    const running = script.executor.execute(the(slot), 'bash', { command: 'x' }, options as object)
    const error = await running.catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SandboxUsageError)
    expect(error).toMatchObject({ field, message: expect.stringContaining(message) })
    await settled()
    expect([script.posts.length, script.executor.pending]).toEqual([0, 0])
  })

  const circular: Record<string, unknown> = {}
  circular.self = circular
  const badCalls: [string, unknown, unknown][] = [
    ['tool', '', {}],
    ['tool', 7, {}],
    ['tool', '\udc00', {}],
    ['args', 'bash', 'ls'],
    ['args', 'bash', ['ls']],
    ['args', 'bash', null],
    ['args', 'my_tool', circular],
    ['args', 'my_tool', { big: 1n }],
    ['args.command', 'bash', {}],
    ['args.command', 'bash', { command: undefined, cwd: 'a' }],
    ['args.command', 'bash', { command: 7 }],
    ['args.cmd', 'bash', { cmd: 'x' }],
    ['args.workdir', 'bash', { command: 'x', workdir: 'a' }],
    ['args.constructor', 'bash', { command: 'x', constructor: 'a' }],
    ['args.stdin', 'bash_stateful', { command: 'x', stdin: '' }],
    ['args.content', 'write_file', { path: 'x' }],
    ['args.file', 'read_file', { file: 'x' }],
    ['args.action', 'tmux', { keys: 'x' }],
  ]
  test.each(badCalls)('%s: %p', async (field, tool, args) => {
    await using script = scripted()
    const [slot] = script.executor.slots('host:1', 1)
    const running = script.executor.execute(the(slot), tool as string, args as Record<string, unknown>)
    expect(await running.catch((reason: unknown) => reason)).toMatchObject({
      name: 'SandboxUsageError',
      field,
    })
    await settled()
    expect([script.posts.length, script.executor.pending]).toEqual([0, 0])
  })

  test('an argument that is misspelt: the sentence tells what there is, also in a batch', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('host:1', 1)
    const args = { cmd: 'x' } as never
    const sentence =
      'Cannot call bash: args.cmd is unknown: bash takes command, allow_network, require_sandbox, stdin, env, cwd'
    await expect(script.executor.execute(the(slot), 'bash', args)).rejects.toThrow(sentence)
    await expect(script.executor.executeBatch([[the(slot), 'bash', args]])).rejects.toThrow(sentence)
    await expect(script.executor.execute(the(slot), 'bash', {} as never)).rejects.toThrow(
      'Cannot call bash: args.command is missing',
    )
  })

  test('an unknown option of bash or of a terminal: the sentence tells theirs too', async () => {
    await using script = scripted()
    const slot = the(script.executor.slots('host:1', 1)[0])
    await expect(slot.bash('x', { timeout: 5 } as never)).rejects.toThrow(
      'Unknown option timeout in bash options; known: allow_network, require_sandbox, stdin, env, cwd, timeoutMs,',
    )
    await expect(slot.terminal.start({ width: 80 } as never)).rejects.toThrow(
      'Unknown option width in terminal options; known: paneWidth, paneHeight, timeoutMs,',
    )
    expect(script.posts).toEqual([])
  })

  test.each([
    [
      { retry: { attempt: 5 } },
      'Unknown option retry.attempt in SandboxExecutor options; known: attempts, delayMs',
    ],
    [{ retry: 5 }, 'Cannot use 5 as retry of SandboxExecutor options: it must be an object'],
    [{ headers: { 'a b': 'c' } }, 'as headers of SandboxExecutor options: no request can have such headers'],
    [7, 'Cannot use 7 as SandboxExecutor options: it must be an object'],
  ])('options of an executor: %p', (options, sentence) => {
    expect(() => new SandboxExecutor(options as never)).toThrow(sentence)
  })

  test('a token that no request can have, which is not told', () => {
    const sentence = 'Cannot use this token: no request can have it in a header'
    expect(() => new SandboxExecutor({ token: 'a secret\nof two lines' })).toThrow(
      new SandboxUsageError('token', sentence),
    )
  })

  test('a slot of another executor, or of none', async () => {
    await using script = scripted()
    await using other = scripted()
    const [foreign] = other.executor.slots('host:1', 1)
    for (const slot of [foreign, {}, null]) {
      const running = script.executor.execute(slot as never, 'bash', { command: 'x' })
      expect(await running.catch((reason: unknown) => reason)).toMatchObject({ field: 'slot' })
    }
  })

  test('an executionId that is in flight', async () => {
    await using script = scripted()
    const [a, b] = script.executor.slots('host:1', 2)
    const first = the(a).bash('x', { executionId: 'same' })
    expect(the(b).bash('x', { executionId: 'same' })).rejects.toThrow('in flight')
    await settled()
    script.automatic()
    expect((await first).success).toBe(true)
    expect((await the(b).bash('x', { executionId: 'same' })).success).toBe(true)
  })

  test.each([
    ['timeoutMs', { timeoutMs: 0 }],
    ['retry.attempts', { retry: { attempts: 0 } }],
    ['retry.delays', { retry: { delays: 0 } }],
    ['batching.maxCalls', { batching: { maxCalls: 1.5 } }],
    ['fetch', { fetch: 7 }],
    ['colour', { colour: 'red' }],
  ])('executor option %s', (field, options) => {
    const make = () => scripted(options as object)
    expect(make).toThrow(SandboxUsageError)
    expect(make).toThrow(field)
  })

  test.each(['', 'ftp://host', 'http://host?x=1', 'http://', 7])('the address %p', (containerAddr) => {
    const { executor } = scripted()
    expect(() => executor.slots(containerAddr as string, 1)).toThrow(SandboxError)
  })
})
