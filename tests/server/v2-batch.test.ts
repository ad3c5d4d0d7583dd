import { describe, expect, test } from 'bun:test'
import { createSandbox } from '../../src/server/sandbox.ts'
import { bash, useSandboxes } from './support.ts'
import { batch, command, healthOf, linesOf, postV2, resultsOf } from './v2-support.ts'

const openSandbox = useSandboxes()
const open = (slots = 4) => openSandbox({ slots, isolation: 'none' })
const in1 = { slot_id: 'slot_1' }
const in2 = { slot_id: 'slot_2' }

test('an extended server says so, and what it can', async () => {
  const health = await healthOf(await open())
  expect(health).toMatchObject({
    status: 'ok',
    protocol: 2,
    maxBodyBytes: 1_048_576,
    maxTimeoutMs: 86_400_000,
  })
  expect(health.features).toContain('ndjson')
  expect(health.ledger).toMatch(/^[0-9a-f-]{36}$/)
  expect(health.ledgerRetentionMs).toBe(600_000)
})

test('results stream as calls end, each one line, and the last line counts them (promise 7)', async () => {
  const sandbox = await open()
  const until = command('until', 'until [ -e go ]; do sleep 0.01; done; echo went')
  const response = await postV2(sandbox, '/v2/batch', [until, command('fast', 'echo fast', in1)])
  expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  const lines = linesOf(response)
  const first = (await lines.next()).value
  expect(first).toMatchObject({ kind: 'result', value: { execution_id: 'fast', output: 'fast' } })
  // Only now can the other one end.
  await batch(sandbox, [command('unrelated', 'true', in2)])
  await bash(sandbox, 'true', { slot_id: 'slot_3' })
  const slots = await (await sandbox.handler(new Request('http://127.0.0.1/slots'))).json()
  await Bun.write(`${slots.slots[0].workspace_dir}/go`, '')
  expect((await lines.next()).value).toMatchObject({
    kind: 'result',
    value: { execution_id: 'until', output: 'went' },
  })
  expect((await lines.next()).value).toEqual({ kind: 'done', value: { done: true, count: 2 } })
})

test('calls of one slot run in the order of the batch', async () => {
  const sandbox = await open()
  const items = Array.from({ length: 20 }, (_, at) => command(`n${at}`, `echo ${at} >> all`))
  await batch(sandbox, items)
  const { output } = await bash(sandbox, 'tr "\\n" " " < all')
  expect(output).toBe(items.map((_, at) => at).join(' '))
})

test('files are executions too', async () => {
  const sandbox = await open()
  const write = {
    slot_id: 'slot_0',
    tool: 'write_file',
    args: { path: 'f', content: 'x' },
    execution_id: 'w',
  }
  const read = { slot_id: 'slot_0', tool: 'read_file', args: { path: 'f' }, execution_id: 'r' }
  expect((await batch(sandbox, [write, read])).map(({ output }) => output)).toEqual([
    'Successfully wrote 1 bytes to f',
    'x',
  ])
  expect((await batch(sandbox, [{ ...write, args: { path: 'f', content: 'y' } }, read]))[0]?.code).toBe(
    'execution_id_conflict',
  )
})

test.each([
  ['no object', 5, null, 'must be an object'],
  ['without an id', { slot_id: 'slot_0', tool: 'bash' }, null, 'execution_id must not be empty'],
  ['with an id that is too long', command('x'.repeat(201), 'true'), null, 'at most 200'],
  ['with a wrong timeout', { ...command('bad', 'true'), timeout: '5' }, 'bad', 'timeout'],
  ['with wrong arguments', { ...command('bad', 'true'), args: { command: 5 } }, 'bad', 'args.command'],
  ['without its argument', { ...command('bad', 'true'), args: {} }, 'bad', 'args.command is missing'],
  [
    'with an argument that is misspelt',
    { ...command('bad', 'true'), args: { cmd: 'true' } },
    'bad',
    'args.cmd is unknown: bash takes command,',
  ],
  [
    'with an argument too many',
    { ...command('bad', 'true'), args: { command: 'true', workdir: 'a' } },
    'bad',
    'args.workdir is unknown',
  ],
  ['with a wrong wish', { ...command('bad', 'true'), live: 'yes' }, null, 'live'],
])('an item %s gets its own line, and the rest run', async (_name, item, id, word) => {
  const sandbox = await open()
  const results = await batch(sandbox, [item, command('good', 'echo ran')])
  const bad = results.find(({ code }) => code === 'invalid_request')
  expect(bad?.execution_id ?? null).toBe(id)
  expect(bad?.error).toContain(word)
  expect(results.find(({ execution_id }) => execution_id === 'good')?.output).toBe('ran')
})

test('unknown slots and tools are told as base servers tell them', async () => {
  const sandbox = await open()
  const results = await batch(sandbox, [
    command('slot', 'true', { slot_id: 'slot_99' }),
    command('tool', 'true', { tool: 'no_such' }),
  ])
  expect(results.map(({ error }) => error)).toEqual(['Unknown slot: slot_99', 'Unknown tool: no_such'])
})

describe('a whole batch is refused, and nothing of it runs,', () => {
  test.each([
    ['without If-Ledger', 400, 'ledger_required', { ledger: null }],
    ['with another ledger', 412, 'ledger_mismatch', { ledger: 'another' }],
  ])('%s', async (_name, status, code, options) => {
    const sandbox = await open()
    const response = await postV2(sandbox, '/v2/batch', [command('a', 'touch ran')], options)
    expect([response.status, await response.json()]).toMatchObject([status, { success: false, code }])
    expect((await bash(sandbox, 'ls')).output).toBe('')
  })

  test.each([
    ['that is no array', { a: 1 }, 400, 'invalid_request', 'array'],
    ['of too many calls', Array(4_097).fill(1), 413, 'too_large', '4097'],
    ['of too many bytes', ['x'.repeat(1_048_576)], 413, 'too_large', '1048576'],
  ])('%s', async (_name, body, status, code, word) => {
    const response = await postV2(await open(), '/v2/batch', body)
    expect([response.status, await response.json()]).toMatchObject([status, { success: false, code }])
    expect(word).toBeString()
  })

  test('that comes by another method', async () => {
    const { handler } = await open()
    const response = await handler(new Request('http://127.0.0.1/v2/batch'))
    const error = 'Method not allowed: GET (it must be one of POST)'
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    expect(await response.json()).toEqual({ success: false, error, code: 'method_not_allowed' })
  })
})

test('an empty batch is answered', async () => {
  expect(await batch(await open(), [])).toEqual([])
})

test('base routes keep base behaviour: a command that is missing is an empty one, an argument too many is none', async () => {
  const sandbox = await open()
  expect(await bash(sandbox, '', { args: { cmd: 'echo x' } })).toMatchObject({ success: true, output: '' })
})

test('base routes keep base behaviour: the same id runs as often as it comes', async () => {
  const sandbox = await open()
  await bash(sandbox, 'echo x >> n')
  await bash(sandbox, 'echo x >> n')
  expect((await bash(sandbox, 'wc -l < n')).output).toBe('2')
})

test('features that are switched off are neither announced nor answered', async () => {
  const sandbox = await createSandbox({ slots: 1, isolation: 'none' }, { extended: { features: ['ndjson'] } })
  try {
    const health = await healthOf(sandbox)
    expect([health.features, health.ledger]).toEqual([['ndjson'], undefined])
    for (const path of ['/v2/batch', '/cancel']) {
      expect((await postV2(sandbox, path, [], { ledger: 'x' })).status).toBe(404)
    }
  } finally {
    await sandbox.stop()
  }
})

test('a reader that stalls delays nobody, and finds everything when it goes on', async () => {
  const sandbox = await open()
  // Results of 100 kB and more: more than what may wait in memory.
  const items = Array.from({ length: 30 }, (_, at) =>
    command(`big${at}`, `head -c 49000 /dev/zero | tr "\\0" ${at % 10}`),
  )
  const stalled = await postV2(sandbox, '/v2/batch', items)
  for (const { execution_id: id } of items) await batch(sandbox, [command(`after-${id}`, 'true')])
  const results = await resultsOf(stalled)
  expect(results.map(({ execution_id }) => execution_id)).toEqual(
    items.map(({ execution_id }) => execution_id),
  )
  expect(results.every(({ output }, at) => output === `${at % 10}`.repeat(49_000))).toBe(true)
  expect(results.some(({ metadata }) => 'replayed' in metadata)).toBe(false)
})
