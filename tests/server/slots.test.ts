import { describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { FifoLock } from '../../src/server/fifo-lock.ts'
import type { CallEvent } from '../../src/server/options.ts'
import { baseUrl, eventually, post, slotWorkspace, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

const results = v.array(
  v.looseObject({ execution_id: v.nullable(v.string()), output: v.string(), error: v.string() }),
)

function recorder() {
  const events: string[] = []
  const onCall = (event: CallEvent) => events.push(`${event.type} ${event.executionId}`)
  return { events, onCall }
}

function item(slot: number, id: string, command: string, more: object = {}) {
  return { slot_id: `slot_${slot}`, tool: 'bash', args: { command }, execution_id: id, timeout: 20, ...more }
}

describe('a slot', () => {
  test('runs its calls one at a time, in the order in which they came, whatever happens to them', async () => {
    const { events, onCall } = recorder()
    const sandbox = await openSandbox({ isolation: 'none', onCall })
    const commands = ['sleep 0.2', 'exit 3', 'kill -9 $$', 'sleep 9', 'true']
    const answers = commands.map((command, at) =>
      post(sandbox, '/execute', item(0, `c${at}`, command, command === 'sleep 9' ? { timeout: 0.1 } : {})),
    )
    await Promise.all(answers)
    expect(events).toEqual(commands.flatMap((_, at) => [`started c${at}`, `finished c${at}`]))
  })

  test('does not count the time in line as time of the tool', async () => {
    const sandbox = await openSandbox({ isolation: 'none' })
    const first = post(sandbox, '/execute', item(0, 'first', 'sleep 1'))
    const second = await post(sandbox, '/execute', item(0, 'second', 'echo ran', { timeout: 0.9 }))
    expect(await second.json()).toMatchObject({ success: true, output: 'ran' })
    await first
  })

  test('shows what runs in it', async () => {
    const sandbox = await openSandbox({ isolation: 'none', onCall: () => {} })
    const go = join(await slotWorkspace(sandbox, 1), 'go')
    const running = post(sandbox, '/execute', item(1, 'running', 'until [ -e go ]; do sleep 0.02; done'))
    const read = async (path: string) => (await sandbox.handler(new Request(baseUrl + path))).json()
    while (!JSON.stringify(await read('/slots')).includes('"running"')) await Bun.sleep(5)
    expect(await read('/slots')).toMatchObject({
      slots: [
        { slot_id: 'slot_0', state: 'available', current_execution_id: null },
        { slot_id: 'slot_1', state: 'executing', current_execution_id: 'running' },
      ],
    })
    expect(await read('/health')).toMatchObject({
      slots: 2,
      available: 1,
      executing: 1,
      bwrap_available: false,
    })
    writeFileSync(go, '')
    await running
    expect(await read('/health')).toMatchObject({ available: 2, executing: 0 })
  })

  test('is reset only when its running call has ended', async () => {
    const { events, onCall } = recorder()
    const sandbox = await openSandbox({ isolation: 'none', onCall })
    const running = post(sandbox, '/execute', item(0, 'a', 'sleep 0.2; echo x > file; ls'))
    const reset = post(sandbox, '/reset', { slot_id: 'slot_0' }).then(() => events.push('reset'))
    const after = post(sandbox, '/execute', item(0, 'b', 'ls'))
    expect(await (await running).json()).toMatchObject({ output: 'file' })
    expect(await (await after).json()).toMatchObject({ output: '' })
    await reset
    expect(events.indexOf('reset')).toBeGreaterThan(events.indexOf('finished a'))
  })
})

describe('a batch', () => {
  test('runs its slots side by side: each of these ends only when the other has started', async () => {
    const workspaces: string[] = []
    const sandbox = await openSandbox({
      isolation: 'none',
      onCall: ({ type, slotId }) => {
        // The start of the one is what the other waits for.
        if (type === 'started') writeFileSync(join(workspaces[slotId === 'slot_0' ? 1 : 0] ?? '', 'go'), '')
      },
    })
    workspaces.push(await slotWorkspace(sandbox, 0), await slotWorkspace(sandbox, 1))
    const wait = 'until [ -e go ]; do sleep 0.02; done; echo met'
    const response = await post(sandbox, '/batch', [item(0, 'a', wait), item(1, 'b', wait)])
    const answers = v.parse(results, await response.json())
    expect(answers.map(({ output }) => output)).toEqual(['met', 'met'])
  })

  test('runs two items of one slot in their order, and answers in the order of the request', async () => {
    const sandbox = await openSandbox({ isolation: 'none' })
    const response = await post(sandbox, '/batch', [
      item(0, 'a', 'sleep 0.1; echo a >> log; cat log'),
      item(1, 'b', 'echo b'),
      item(0, 'c', 'echo c >> log; cat log'),
    ])
    const answers = v.parse(results, await response.json())
    expect(answers.map(({ execution_id, output }) => [execution_id, output])).toEqual([
      ['a', 'a'],
      ['b', 'b'],
      ['c', 'a\nc'],
    ])
  })

  test('lets a bad item fail alone, and names its field', async () => {
    const sandbox = await openSandbox({ isolation: 'none' })
    const response = await post(sandbox, '/batch', [
      item(0, 'bad', 'echo never > witness', { timeout: -1 }),
      item(0, 'good', 'ls'),
      { slot_id: 7, tool: 'bash', args: {}, execution_id: 'worse' },
      item(1, 'nul', 'a\0b'),
    ])
    const answers = v.parse(results, await response.json())
    expect(answers.map(({ execution_id, error, output }) => [execution_id, error, output])).toEqual([
      ['bad', 'timeout must be a number of seconds above 0 and at most 86400', ''],
      ['good', '', ''],
      ['worse', 'slot_id must be a string', ''],
      ['nul', 'args.command must not contain NUL', ''],
    ])
  })
})

test('a client that hangs up does not stop its command', async () => {
  const sandbox = await openSandbox({ isolation: 'none' })
  const workspace = await slotWorkspace(sandbox)
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: (request) => sandbox.handler(request) })
  const hangUp = new AbortController()
  const command = 'touch started; until [ -e go ]; do sleep 0.02; done; touch ended'
  const gone = fetch(`${server.url}execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(item(0, 'x', command)),
    signal: hangUp.signal,
  }).catch(() => 'gone')
  expect(await eventually(() => Bun.spawnSync(['test', '-e', join(workspace, 'started')]).success)).toBe(true)
  hangUp.abort()
  expect(await gone).toBe('gone')
  writeFileSync(join(workspace, 'go'), '')
  expect(await eventually(() => Bun.spawnSync(['test', '-e', join(workspace, 'ended')]).success)).toBe(true)
  await server.stop(true)
})

test('a lock goes on after a task that failed', async () => {
  const lock = new FifoLock()
  const failing = lock.run(() => Promise.reject(new Error('broken')))
  const next = lock.run(async () => 'fine')
  expect(failing).rejects.toThrow('broken')
  expect(await next).toBe('fine')
})
