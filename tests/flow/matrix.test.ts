/** Every client with every server: ours, and one that is plain fetch and speaks base; extended, less of it, and base. */
import { describe, expect, test } from 'bun:test'
import { SandboxExecutor } from '../../mod.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { type Level, levels, startRealServer } from '../support/real-server.ts'
import { the } from '../support/the.ts'

interface Told {
  readonly success: boolean
  readonly output: string
  readonly error: string
  readonly metadata: Readonly<Record<string, unknown>>
}

/** A call: slot, tool, args, and the seconds it may take. */
type Call = readonly [slot: number, tool: string, args: Readonly<Record<string, unknown>>, timeout?: number]

interface Client extends AsyncDisposable {
  execute(call: Call): Promise<Told>
  batch(calls: readonly Call[]): Promise<readonly Told[]>
  reset(slot: number): Promise<Told>
}

function ours(url: string): Client {
  const executor = new SandboxExecutor()
  const slots = executor.slots(url, 4)
  const slotOf = (index: number) => the(slots[index])
  return {
    execute: ([slot, tool, args, timeout = 30]) =>
      executor.execute(slotOf(slot), tool, args, { timeoutMs: timeout * 1_000 }),
    batch: (calls) =>
      executor.executeBatch(
        calls.map(([slot, tool, args, timeout = 30]) => ({
          slot: slotOf(slot),
          tool,
          args,
          timeoutMs: timeout * 1_000,
        })),
      ),
    reset: (slot) => slotOf(slot).reset(),
    [Symbol.asyncDispose]: () => executor.close(),
  }
}

function plain(url: string): Client {
  const post = async (path: string, body: unknown): Promise<unknown> =>
    (await fetch(url + path, { method: 'POST', body: JSON.stringify(body) })).json()
  const bodyOf = ([slot, tool, args, timeout = 30]: Call) => ({
    slot_id: `slot_${slot}`,
    tool,
    args,
    execution_id: crypto.randomUUID(),
    timeout,
  })
  return {
    execute: async (call) => (await post('/execute', bodyOf(call))) as Told,
    batch: async (calls) => (await post('/batch', calls.map(bodyOf))) as Told[],
    reset: async (slot) => (await post('/reset', { slot_id: `slot_${slot}` })) as Told,
    [Symbol.asyncDispose]: async () => {},
  }
}

const clients = [
  ['our client', ours],
  ['a plain base client', plain],
] as const

const pairs = clients.flatMap(([name, make]) =>
  levels.map((level): [string, Level, (url: string) => Client] => [name, level, make]),
)

describe.each(pairs)('%s, server: %s', (name, level, make) => {
  test('a call walks all the way', async () => {
    await using server = await startRealServer({ slots: 4, level })
    await using client = make(server.url)
    const written = await client.execute([0, 'write_file', { path: 'a/b.txt', content: 'héllo' }])
    expect(written).toMatchObject({ success: true, output: 'Successfully wrote 5 bytes to a/b.txt' })
    expect(await client.execute([0, 'bash', { command: 'cat a/b.txt; echo no >&2; exit 3' }])).toMatchObject({
      success: false,
      output: 'héllo\n[stderr]\nno',
      error: 'Exit code: 3',
      metadata: { exit_code: 3 },
    })
    expect(await client.execute([1, 'read_file', { path: 'a/b.txt' }])).toMatchObject({
      success: false,
      error: 'File not found: a/b.txt',
    })
    expect(await client.execute([1, 'bash', { command: 'sleep 20' }, 0.2])).toMatchObject({
      error: 'Command timed out after 0.2s',
      metadata: { timeout: true },
    })
    const results = await client.batch([
      [2, 'bash', { command: 'sleep 0.1; echo one' }],
      [0, 'bash', { command: 'echo two' }],
      [3, 'nonsense', {}],
    ])
    expect(results.map(({ output, error }) => output || error)).toEqual([
      'one',
      'two',
      'Unknown tool: nonsense',
    ])
    expect(await client.reset(0)).toMatchObject({ success: true, output: 'Reset workspace for slot_0' })
    expect(await client.execute([0, 'bash', { command: 'ls' }])).toMatchObject({ success: true, output: '' })
    const isStreamed = name === 'our client' && level !== 'base'
    expect(server.posts.includes('/v2/batch')).toBe(isStreamed)
    expect(server.posts.includes('/batch') || server.posts.includes('/execute')).toBe(!isStreamed)
  })
})

describe.each(levels)('our client, server: %s', (level) => {
  const isFull = level === 'extended'

  test('what only some servers can is done, or told', async () => {
    await using server = await startRealServer({ slots: 4, level })
    await using executor = new SandboxExecutor()
    const [slot] = executor.slots(server.url, 4)
    let heard = ''
    const results = [
      await slot.bash('cat; echo $A; pwd', { stdin: 'in ', env: { A: 'b' } }),
      await slot.bash('echo live', {
        onStdout: (text) => {
          heard += text
        },
      }),
    ]
    expect(results.map(({ outcome, failure }) => [outcome, failure?.code])).toEqual(
      isFull
        ? [
            ['exited', undefined],
            ['exited', undefined],
          ]
        : [
            ['not-run', 'unsupported'],
            ['not-run', 'unsupported'],
          ],
    )
    expect(heard).toBe(isFull ? 'live\n' : '')
  })

  test('a call that is given up: ended with its output so far, or left to itself', async () => {
    await using server = await startRealServer({ slots: 4, level })
    await using executor = new SandboxExecutor()
    const [slot] = executor.slots(server.url, 4)
    const controller = new AbortController()
    const begun = Promise.withResolvers<void>()
    const command = isFull ? 'echo begun; sleep 30; echo on' : 'sleep 0.3'
    const running = slot.bash(command, {
      signal: controller.signal,
      ...(isFull ? { onStdout: () => begun.resolve() } : {}),
    })
    if (isFull) await begun.promise
    else while (server.posts.length === 0) await Bun.sleep(5)
    controller.abort()
    expect(await running).toMatchObject({
      outcome: 'cancelled',
      output: isFull ? 'begun' : '',
      failure: { code: 'aborted' },
    })
    expect(await slot.bash('echo next')).toMatchObject({ outcome: 'exited', output: 'next' })
  })
})

test('files of any size, up and down through our own server', async () => {
  await using server = await startRealServer({ slots: 4, level: 'extended' })
  await using executor = new SandboxExecutor()
  const [slot] = executor.slots(server.url, 4)
  const content = new Uint8Array(3_000_000).map((_, index) => index % 251)
  const up = await slot.upload('deep/ä b.bin', new Blob([content]))
  expect(up).toMatchObject({ success: true, bytes: content.length })
  expect((await slot.bash('sha256sum < "deep/ä b.bin"')).output).toStartWith(up.sha256 ?? '-')
  const down = await slot.download('deep/ä b.bin')
  expect(down).toMatchObject({ success: true, sha256: up.sha256 })
  expect(await new Response(down.body).bytes()).toEqual(content)
  expect(await slot.download('none')).toMatchObject({ success: false, httpStatus: 404 })
})

test('output is heard before the command has ended, and a call that is cut is attached to again', async () => {
  await using server = await startRealServer({ slots: 4, level: 'extended' })
  let posts = 0
  await using proxy = await startFaultProxy({
    target: server.url,
    plan: {
      request: ({ method }) => {
        posts += method === 'POST' ? 1 : 0
        return method === 'POST' && posts === 1 ? { kind: 'reset', in: 'response', at: 400 } : undefined
      },
    },
  })
  await using executor = new SandboxExecutor({ retry: { delayMs: 10 } })
  const [slot] = executor.slots(proxy.url, 4)
  const heard: string[] = []
  const command = 'for i in 1 2 3 4 5 6 7 8; do echo line $i; sleep 0.05; done; echo x >> ran'
  const result = await slot.bash(command, { onStdout: (text) => heard.push(text) })
  expect(result).toMatchObject({ outcome: 'exited' })
  expect(heard.length).toBeGreaterThan(1)
  expect((await slot.readFile('ran')).output).toBe('x\n')
  expect(proxy.posts).toBeGreaterThan(1)
})
