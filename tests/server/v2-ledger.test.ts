import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CallHooks, checkCall, type ServerContext } from '../../src/server/calls.ts'
import { Drain } from '../../src/server/drain.ts'
import { openLedger } from '../../src/server/ledger/ledger.ts'
import { ReadyShells } from '../../src/server/sandbox/ready-shells.ts'
import { createSandbox } from '../../src/server/sandbox.ts'
import { SlotTable } from '../../src/server/slot-table.ts'
import { Execution } from '../../src/server/v2/execution.ts'
import { useSandboxes } from './support.ts'
import { batch, begun, command, healthOf, postV2 } from './v2-support.ts'

const openSandbox = useSandboxes()

/** A directory for witness and data, removed after the test. */
const places: string[] = []
function newPlace(): string {
  const place = mkdtempSync(join(tmpdir(), 'ledger-test-'))
  places.push(place)
  return place
}
afterEach(() => {
  for (const place of places.splice(0)) rmSync(place, { recursive: true })
})

/** Where commands tell that they ran, outside of the server. */
function witness() {
  const file = join(newPlace(), 'witness')
  writeFileSync(file, '')
  const runs = () => readFileSync(file, 'latin1').split('\n').filter(Boolean)
  return { runs, tells: (id: string, then = 'true') => command(id, `echo ${id} >> ${file}; ${then}`) }
}

/** What calls share, without a server. */
async function contextOf(place: string): Promise<ServerContext> {
  const privateDir = join(place, 'private')
  const isolation = { kind: 'none', run: 'test' } as const
  const slots = await SlotTable.open(place, privateDir, 1, null)
  return {
    ...{ slots, isolation, network: false, tell: () => {}, drain: new Drain() },
    staging: { directory: slots.trashDir, isSynced: true },
    shells: new ReadyShells(isolation),
    stop: new AbortController().signal,
  }
}

const open = () => openSandbox({ slots: 2, isolation: 'none' })

describe('an execution_id runs at most once (promise 1)', () => {
  test('the same call again, finished: its result is replayed', async () => {
    const sandbox = await open()
    const { runs, tells } = witness()
    const call = tells('a', 'echo $RANDOM')
    const [first] = await batch(sandbox, [call])
    const [again] = await batch(sandbox, [{ ...call, timeout: 20 }])
    expect(first?.metadata.replayed).toBeUndefined()
    expect(again).toEqual({ ...first, metadata: { ...first?.metadata, replayed: true } } as typeof again)
    expect(runs()).toEqual(['a'])
  })

  test('still running: the second request attaches to it', async () => {
    const sandbox = await open()
    const { runs, tells } = witness()
    const call = tells('a', 'sleep 0.2; echo $RANDOM')
    const [[first], [second]] = await Promise.all([batch(sandbox, [call]), batch(sandbox, [call])])
    expect(second).toEqual(first as typeof second)
    expect(runs()).toEqual(['a'])
  })

  test('twice in one batch: both get the result of one run', async () => {
    const sandbox = await open()
    const { runs, tells } = witness()
    const results = await batch(sandbox, [tells('a'), tells('a')])
    expect(results.map(({ execution_id }) => execution_id)).toEqual(['a', 'a'])
    expect(runs()).toEqual(['a'])
  })

  test.each([
    ['running', 'sleep 0.3'],
    ['finished', 'true'],
  ])('another call with its id is a conflict, and does not run: %s', async (_name, then) => {
    const sandbox = await open()
    const { runs, tells } = witness()
    const call = tells('a', then)
    const first = batch(sandbox, [call])
    if (then === 'true') await first
    const others = [
      { ...call, args: { command: 'other' } },
      { ...call, slot_id: 'slot_1' },
      { ...call, timeout: 21 },
      { ...call, tool: 'read_file', args: { path: 'x' } },
    ]
    const results = await batch(sandbox, others)
    expect(results.map(({ code }) => code)).toEqual(Array(4).fill('execution_id_conflict'))
    await first
    expect(runs()).toEqual(['a'])
  })

  test('what did not run may come again', async () => {
    const dataDir = newPlace()
    const { runs, tells } = witness()
    const first = await createSandbox({ dataDir, slots: 1, isolation: 'none' })
    const answered = batch(first, [command('long', 'sleep 30'), tells('waits')])
    await begun(first, 1)
    await first.stop()
    const codes = (await answered).map(({ execution_id, code }) => [execution_id, code])
    expect(codes.sort()).toEqual([
      ['long', 'interrupted'],
      ['waits', 'server_stopping'],
    ])
    const second = await openSandbox({ dataDir, slots: 1, isolation: 'none' })
    const [long, waits] = await batch(second, [command('long', 'sleep 30'), tells('waits', 'echo now')])
    expect([long?.code, long?.metadata.replayed, waits?.output]).toEqual(['interrupted', true, 'now'])
    expect(runs()).toEqual(['waits'])
  })
})

test('the ledger is kept with its data: another server replays what it finds there', async () => {
  const dataDir = newPlace()
  const { runs, tells } = witness()
  const restarted = () => createSandbox({ dataDir, slots: 1, isolation: 'none' })
  const first = await restarted()
  const { ledger } = await healthOf(first)
  await batch(first, [tells('a', 'echo out')])
  await first.stop()
  const second = await restarted()
  try {
    expect((await healthOf(second)).ledger).toBe(ledger)
    expect((await batch(second, [tells('a', 'echo out')]))[0]).toMatchObject({
      output: 'out',
      metadata: { replayed: true },
    })
    expect(runs()).toEqual(['a'])
  } finally {
    await second.stop()
  }
})

test('no tool call can see or change it', async () => {
  const dataDir = newPlace()
  await openSandbox({ dataDir, slots: 1, isolation: 'none' })
  expect(statSync(join(dataDir, '.sandbox-slots-ledger')).mode & 0o777).toBe(0o700)
})

test('nothing of a call runs before its begin is on the disk; when that fails, nothing runs', async () => {
  const order: string[] = []
  const call = {
    kind: 'runnable',
    executionId: 'a',
    timeoutS: 1,
    run: async ({ beforeRun }: CallHooks) => {
      await beforeRun?.()
      order.push('ran')
      return { success: true, output: '', error: '', metadata: {} }
    },
  } as const
  const ledger = await openLedger(newPlace(), { isDurable: true })
  const disk = Promise.withResolvers<void>()
  const execution = new Execution('a', new Uint8Array(32), null)
  const ended = execution.run(call, ledger, disk.promise)
  await Bun.sleep(1)
  order.push('written')
  disk.resolve()
  await ended
  expect(order).toEqual(['written', 'ran'])
  await ledger.close()
})

test('a call whose begin cannot be written does not run', async () => {
  const { runs, tells } = witness()
  const context = await contextOf(newPlace())
  const call = checkCall(context, tells('a'))
  if (call.kind !== 'runnable') throw new Error('It should run')
  const result = await call.run({ beforeRun: () => Promise.reject(new Error('EIO')) })
  expect([result.code, result.error]).toEqual(['ledger_failed', 'Not run: EIO'])
  expect(runs()).toEqual([])
})

test('without room for it nothing runs: 503, and the id may come again', async () => {
  const { runs, tells } = witness()
  const full = await createSandbox({ slots: 1, isolation: 'none' }, { ledger: { maxPages: 12 } })
  try {
    const filler = Array.from({ length: 600 }, (_, at) => command(`${at}`.padEnd(200, 'x'), 'true'))
    const response = await postV2(full, '/v2/batch', [tells('a'), ...filler])
    expect(response.status).toBe(503)
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await response.json()).toMatchObject({ success: false, code: 'ledger_failed' })
    expect(runs()).toEqual([])
    expect((await batch(full, [tells('a')]))[0]?.success).toBe(true)
    expect(runs()).toEqual(['a'])
  } finally {
    await full.stop()
  }
})

test('a dropped result is told as what it is', async () => {
  const sandbox = await createSandbox({ slots: 1, isolation: 'none' }, { ledger: { maxResultBytes: 1 } })
  try {
    const { runs, tells } = witness()
    await batch(sandbox, [tells('a')])
    const [again] = await batch(sandbox, [tells('a')])
    expect([again?.code, again?.error]).toEqual(['interrupted', expect.stringContaining('no longer kept')])
    expect(runs()).toEqual(['a'])
  } finally {
    await sandbox.stop()
  }
})
