import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LedgerOptions, openLedger } from '../../src/server/ledger/ledger.ts'
import { createSandbox } from '../../src/server/sandbox.ts'
import { bodyHash } from '../../src/server/v2/body-hash.ts'
import { useSandboxes } from './support.ts'
import { batch, begun, command, healthOf, postV2, resultsOf } from './v2-support.ts'

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
    const response = await postV2(first, '/v2/batch', [command('long', 'sleep 30'), tells('waits')])
    await begun(first, 1)
    await first.stop()
    const codes = (await resultsOf(response)).map(({ execution_id, code }) => [execution_id, code])
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

describe('what the ledger remembers', () => {
  const body = new Uint8Array(32)
  const claim = (executionId: string, timeoutS = 0) => ({ executionId, body, timeoutS })
  const withLedger = async (options: Partial<LedgerOptions>) =>
    openLedger(newPlace(), { isDurable: true, ...options })

  test('is bounded by age: a call is forgotten when its retention is over, not before', async () => {
    const ledger = await withLedger({ retentionS: 0.2 })
    for (const call of [claim('old'), claim('young', 60)]) ledger.claim(call)
    await Promise.all([ledger.finish('old', 'x'), ledger.finish('young', 'x')])
    expect(ledger.claim(claim('old')).kind).toBe('finished')
    await Bun.sleep(1_300)
    ledger.claim(claim('another'))
    await ledger.finish('another', 'x')
    // The young one could still be running by its timeout: a client may ask for it.
    expect(['old', 'young'].map((id) => ledger.claim(claim(id)).kind)).toEqual(['new', 'finished'])
    await ledger.close()
  })

  test('is bounded by bytes: the oldest results are dropped, and their calls never run again', async () => {
    const ledger = await withLedger({ maxResultBytes: 1_000 })
    for (let at = 0; at < 20; at++) {
      ledger.claim(claim(`${at}`))
      await ledger.finish(`${at}`, 'x'.repeat(100))
    }
    expect(ledger.resultOf('0')).toBe('')
    expect(ledger.claim(claim('0'))).toEqual({ kind: 'finished', result: '' })
    expect(ledger.resultOf('19')).toBe('x'.repeat(100))
    await ledger.close()
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

  test('what a killed server left unfinished is never run again', async () => {
    const place = newPlace()
    const killed = await openLedger(place, { isDurable: true })
    killed.claim(claim('a'))
    await killed.durable()
    await killed.close()
    const ledger = await openLedger(place, { isDurable: true })
    expect(ledger.claim(claim('a')).kind).toBe('unfinished')
    await ledger.close()
  })

  test('all who wait for the disk share its syncs', async () => {
    const ledger = await withLedger({})
    await Promise.all(
      Array.from({ length: 500 }, (_, at) => {
        ledger.claim(claim(`${at}`))
        return ledger.durable()
      }),
    )
    expect(ledger.syncs).toBeLessThan(10)
    await ledger.close()
  })

  test('one of another version is refused by name', async () => {
    const place = newPlace()
    await (await openLedger(place, { isDurable: true })).close()
    const file = join(place, '.sandbox-slots-ledger/ledger.sqlite')
    const { Database } = await import('bun:sqlite')
    const database = new Database(file)
    database.run('PRAGMA user_version = 7')
    database.close()
    expect(openLedger(place, { isDurable: true })).rejects.toThrow(/\.sandbox-slots-ledger.*version 7/)
  })
})

test('two calls are the same when their JSON is, whatever the order of the keys', () => {
  const call = { slot_id: 's', tool: 't', args: { a: [1, { b: 2, c: 3 }], d: 4 }, timeout: 1 }
  const shuffled = { timeout: 1, args: { d: 4, a: [1, { c: 3, b: 2 }] }, tool: 't', slot_id: 's', live: true }
  expect(bodyHash(shuffled)).toEqual(bodyHash(call))
  expect(bodyHash({ ...call, args: { a: [{ b: 2, c: 3 }, 1], d: 4 } })).not.toEqual(bodyHash(call))
})
