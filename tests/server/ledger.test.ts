import { Database } from 'bun:sqlite'
import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LedgerOptions, openLedger } from '../../src/server/ledger/ledger.ts'
import { bodyHash } from '../../src/server/v2/body-hash.ts'

const places: string[] = []
function newPlace(): string {
  const place = mkdtempSync(join(tmpdir(), 'ledger-test-'))
  places.push(place)
  return place
}
afterEach(() => {
  for (const place of places.splice(0)) rmSync(place, { recursive: true })
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
    expect(ledger.syncs).toBeGreaterThan(0)
    expect(ledger.syncs).toBeLessThan(10)
    await ledger.close()
  })

  test('a sync that is under way is not enough for what is claimed meanwhile', async () => {
    const ledger = await withLedger({})
    ledger.claim(claim('a'))
    const first = ledger.durable()
    ledger.claim(claim('b'))
    const second = ledger.durable()
    await Promise.all([first, second])
    expect(ledger.syncs).toBe(2)
    await ledger.close()
  })

  test('one of another version is refused by name', async () => {
    const place = newPlace()
    await (await openLedger(place, { isDurable: true })).close()
    const file = join(place, '.sandbox-slots-ledger/ledger.sqlite')
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
