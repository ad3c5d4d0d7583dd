import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLedger } from '../../src/server/ledger/ledger.ts'
import { createSandbox } from '../../src/server/sandbox.ts'
import type { ToolResult } from '../../src/server/tools/tool.ts'
import { Execution, type RunnableCall } from '../../src/server/v2/execution.ts'
import { bash, eventually, hasBubblewrap, processesWith, useSandboxes } from './support.ts'
import { batch, begun, cancel, command, healthOf, linesOf, postV2, type Served } from './v2-support.ts'

const openSandbox = useSandboxes()
const open = (isolation: 'none' | 'bubblewrap' = 'none') => openSandbox({ slots: 3, isolation })

const newMarker = () => `cancel-${crypto.randomUUID()}`

describe.each(['none', ...(hasBubblewrap ? (['bubblewrap'] as const) : [])] as const)(
  'a cancelled call, isolation %s,',
  (isolation) => {
    test('is gone with its whole tree when /cancel answers, and tells its output so far', async () => {
      const sandbox = await open(isolation)
      const marker = newMarker()
      // Without a sandbox nobody can know of a process that leaves the group.
      const hides =
        isolation === 'none' ? '' : `setsid sh -c "sleep 60 & sleep 61" ${marker} > /dev/null 2>&1 &`
      const tree = `echo before; ${hides} sh -c "sleep 62; :" ${marker} & sleep 63`
      const response = await postV2(sandbox, '/v2/batch', [command('a', tree, { live: true })])
      const lines = linesOf(response)
      // It runs when it prints.
      expect((await lines.next()).value).toMatchObject({ kind: 'live', value: { data: 'before\n' } })
      expect(await cancel(sandbox, ['a'])).toEqual({ cancelled: ['a'], finished: [], unknown: [] })
      expect(processesWith(marker)).toEqual([])
      expect((await lines.next()).value).toMatchObject({
        kind: 'result',
        value: { success: false, output: 'before', execution_id: 'a', metadata: { cancelled: true } },
      })
      expect((await bash(sandbox, 'echo next')).output).toBe('next')
    })
  },
)

test('a call that waits for its slot never begins, and is answered at once', async () => {
  const sandbox = await open()
  const answered = batch(sandbox, [command('runs', 'sleep 30'), command('waits', 'echo ran > ran')])
  await begun(sandbox, 1)
  expect(await cancel(sandbox, ['waits'])).toMatchObject({ cancelled: ['waits'] })
  expect(await cancel(sandbox, ['runs'])).toMatchObject({ cancelled: ['runs'] })
  const results = await answered
  expect(results.map(({ execution_id, success }) => [execution_id, success])).toEqual([
    ['waits', false],
    ['runs', false],
  ])
  expect((await bash(sandbox, 'ls')).output).toBe('')
  // Nor does it when it comes again.
  const [again] = await batch(sandbox, [command('waits', 'echo ran > ran')])
  expect(again?.metadata).toMatchObject({ cancelled: true, replayed: true })
})

test('what has ended is finished, what never came is unknown and does not begin when it comes late', async () => {
  const sandbox = await open()
  await batch(sandbox, [command('done', 'true')])
  expect(await cancel(sandbox, ['late', 'done', 'late'])).toEqual({
    cancelled: [],
    finished: ['done'],
    unknown: ['late'],
  })
  const [late] = await batch(sandbox, [command('late', 'touch ran')])
  expect(late?.metadata.cancelled).toBe(true)
  expect((await bash(sandbox, 'ls')).output).toBe('')
})

test('a call that ends by itself meanwhile keeps its result', async () => {
  const sandbox = await open()
  const write = {
    slot_id: 'slot_0',
    tool: 'write_file',
    args: { path: 'f', content: 'x' },
    execution_id: 'w',
  }
  const answered = batch(sandbox, [write])
  const { cancelled, finished } = await cancel(sandbox, ['w'])
  const [result] = await answered
  expect(result?.success ? finished : cancelled).toEqual(['w'])
})

const notIds = 'execution_ids must be an array of execution ids'
const notAnObject = 'The request body must be an object'
test.each<[unknown, string]>([
  [{}, notIds],
  [{ execution_ids: 'a' }, notIds],
  [{ execution_ids: [5] }, 'execution_ids.0 must be an execution id'],
  [{ execution_ids: [''] }, 'execution_ids.0 must be an execution id'],
  [5, notAnObject],
  [[], notAnObject],
])('%j is refused', async (body, error) => {
  const response = await postV2(await open(), '/cancel', body)
  expect(response.status).toBe(400)
  expect(await response.json()).toEqual({ success: false, error, code: 'invalid_request' })
})

test('a server that drains refuses batches and files, and still cancels what it waits for', async () => {
  const sandbox = await open()
  const answered = batch(sandbox, [command('a', 'sleep 30')])
  await begun(sandbox, 1)
  const ledger = (await healthOf(sandbox)).ledger ?? ''
  const stopped = sandbox.stop({ drainTimeoutMs: 60_000 })
  const refused = await postV2(sandbox, '/v2/batch', [command('b', 'true')], { ledger })
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '60'])
  expect(await refused.json()).toMatchObject({ code: 'server_stopping' })
  expect((await sandbox.handler(new Request('http://127.0.0.1/files/slot_0/f'))).status).toBe(503)
  expect(await cancel(sandbox, ['a'])).toMatchObject({ cancelled: ['a'] })
  expect((await answered)[0]?.metadata.cancelled).toBe(true)
  await stopped
})

describe('a client that hangs up', () => {
  const withGrace = (detachGraceMs: number) =>
    createSandbox({ slots: 2, isolation: 'none' }, { extended: { detachGraceMs } })
  /** Posts the call, and is gone when it runs; resolves when the server has seen that. */
  const hangUp = async (sandbox: Served, call: object) => {
    const controller = new AbortController()
    const response = postV2(sandbox, '/v2/batch', [call], { signal: controller.signal })
    await begun(sandbox, 1)
    controller.abort()
    expect(await (await response).text()).toBe('')
  }

  test('leaves its calls running, and finds them again by their ids', async () => {
    await using stack = new AsyncDisposableStack()
    const sandbox = stack.adopt(await withGrace(60_000), (one) => one.stop())
    const call = command('a', 'echo begin; until [ -e go ]; do sleep 0.01; done; echo end')
    await hangUp(sandbox, call)
    const again = batch(sandbox, [call])
    await bash(sandbox, `touch ../slot_0/go`, { slot_id: 'slot_1' })
    expect((await again)[0]).toMatchObject({ success: true, output: 'begin\nend' })
  })

  test.each(['its request', 'its answer'])('for longer than the grace ends them: by %s', async (by) => {
    await using stack = new AsyncDisposableStack()
    const sandbox = stack.adopt(await withGrace(50), (one) => one.stop())
    const marker = newMarker()
    const call = command('a', `sh -c "echo begin; sleep 60; :" ${marker}`, { live: true })
    const controller = new AbortController()
    const response = await postV2(sandbox, '/v2/batch', [call], { signal: controller.signal })
    const lines = linesOf(response)
    expect((await lines.next()).value?.kind).toBe('live')
    expect(processesWith(marker)).not.toEqual([])
    if (by === 'its request') controller.abort()
    else await lines.return(undefined)
    expect(await eventually(() => processesWith(marker).length === 0)).toBe(true)
    const [again] = await batch(sandbox, [call])
    expect(again).toMatchObject({ success: false, output: 'begin', metadata: { cancelled: true } })
    expect(again?.error).toContain('its client had gone for 0.05 s')
  })

  test('and comes back in time keeps them beyond it', async () => {
    await using stack = new AsyncDisposableStack()
    const sandbox = stack.adopt(await withGrace(150), (one) => one.stop())
    const call = command('a', 'sleep 0.6; echo end')
    await hangUp(sandbox, call)
    expect((await batch(sandbox, [call]))[0]?.output).toBe('end')
  })

  test('is no matter while another waits for the same call', async () => {
    await using stack = new AsyncDisposableStack()
    const sandbox = stack.adopt(await withGrace(20), (one) => one.stop())
    const call = command('a', 'sleep 0.4; echo end')
    const stays = batch(sandbox, [call])
    await hangUp(sandbox, call)
    expect((await stays)[0]?.output).toBe('end')
  })

  test('of the base protocol leaves its call running to its end', async () => {
    await using stack = new AsyncDisposableStack()
    const sandbox = stack.adopt(await withGrace(1), (one) => one.stop())
    const controller = new AbortController()
    const body = JSON.stringify({
      slot_id: 'slot_0',
      tool: 'bash',
      args: { command: 'sleep 0.2; touch ran' },
    })
    const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body }
    const answered = sandbox.handler(
      new Request('http://127.0.0.1/execute', { ...request, signal: controller.signal }),
    )
    await begun(sandbox, 1)
    controller.abort()
    await answered
    expect((await bash(sandbox, 'ls')).output).toBe('ran')
  })
})

test('/cancel answers not before the call has ended', async () => {
  using stack = new DisposableStack()
  const remove = (path: string) => rmSync(path, { recursive: true })
  const dir = stack.adopt(mkdtempSync(join(tmpdir(), 'v2-cancel-')), remove)
  const ledger = await openLedger(dir, { isDurable: false })
  const ends = Promise.withResolvers<ToolResult>()
  const execution = new Execution('a', new Uint8Array(), null)
  const call: RunnableCall = { kind: 'runnable', executionId: 'a', timeoutS: 30, run: () => ends.promise }
  const ran = execution.run(call, ledger, ledger.durable())
  const told: unknown[] = []
  const cancelled = execution.cancel().then((was) => told.push(was))
  await Bun.sleep(10)
  expect(told).toEqual([])
  ends.resolve({ success: false, output: '', error: 'cancelled', metadata: { cancelled: true } })
  await Promise.all([ran, cancelled])
  expect(told).toEqual([true])
  await ledger.close()
})
