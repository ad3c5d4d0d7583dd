/** Row 16 of the promises: bad input is refused before anything runs. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import * as v from 'valibot'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'
import { damaged, faultOf, recordedBodies, routes, wrongCalls } from './requests-cases.ts'
import { baseUrl, post } from './support.ts'
import { healthOf } from './v2-support.ts'

const directory = mkdtempSync(join(tmpdir(), 'requests-test-'))
const witness = join(directory, 'witness')
const command = `echo ran >> ${witness}`
const valid = { slot_id: 'slot_0', tool: 'bash', args: { command } }
const started: (string | null)[] = []
let sandbox: Sandbox
let ledger = ''

beforeAll(async () => {
  const onCall = ({ type, executionId }: { type: string; executionId: string | null }) => {
    if (type === 'started') started.push(executionId)
  }
  sandbox = await createSandbox({ isolation: 'none', slots: 2, onCall })
  ledger = (await healthOf(sandbox)).ledger ?? ''
})
afterAll(async () => {
  await sandbox.stop()
  rmSync(directory, { recursive: true })
})

function hasRun(): boolean {
  const ran = existsSync(witness)
  rmSync(witness, { force: true })
  return ran
}

async function send(path: string, text: string) {
  const headers = { 'if-ledger': ledger }
  const response = await sandbox.handler(
    new Request(baseUrl + path, { method: 'POST', headers, body: Buffer.from(text) }),
  )
  return { status: response.status, text: await response.text() }
}

test('a valid request leaves its mark in the witness', async () => {
  await post(sandbox, '/execute', { ...valid, unheard_of: { of: [1] }, args: { command, more: null } })
  expect(hasRun()).toBe(true)
})

describe('a request with one wrong field', () => {
  test('is refused with 400 and the name of the field, and does not run', async () => {
    await fc.assert(
      fc.asyncProperty(wrongCalls(command), async ({ field, fields }) => {
        started.length = 0
        const { status, text } = await send('/execute', JSON.stringify(fields))
        expect(status).toBe(400)
        expect(JSON.parse(text).error).toStartWith(`${field} must`)
        expect([started, hasRun()]).toEqual([[], false])
      }),
      { numRuns: 300 },
    )
  })

  test('spoils no other item of its batch', async () => {
    const answers = v.array(v.object({ success: v.boolean(), output: v.string(), error: v.string() }))
    await fc.assert(
      fc.asyncProperty(fc.array(wrongCalls(command), { minLength: 1, maxLength: 3 }), async (wrongs) => {
        const good = { slot_id: 'slot_1', tool: 'read_file', args: { path: 'missing' } }
        const items = [good, ...wrongs.map(({ fields }) => fields), good]
        const parsed = v.parse(answers, JSON.parse((await send('/batch', JSON.stringify(items))).text))
        expect(parsed.map(({ error }) => error.split(' must')[0])).toEqual([
          'File not found: missing',
          ...wrongs.map(({ field }) => field),
          'File not found: missing',
        ])
        expect(hasRun()).toBe(false)
      }),
      { numRuns: 60 },
    )
  })
})

test('whatever JSON comes gets an answer that the protocol knows, and runs nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), fc.jsonValue(), async (path, body) => {
      const { status, text } = await send(path, JSON.stringify(body))
      expect(faultOf(path, status, text)).toBeNull()
    }),
    { numRuns: 400 },
  )
})

test('whatever is left of a recorded request gets an answer that the protocol knows', async () => {
  const texts = damaged(recordedBodies())
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), texts, async (path, body) => {
      const { status, text } = await send(path, body)
      expect(faultOf(path, status, text)).toBeNull()
    }),
    { numRuns: 600 },
  )
})

test.each([
  ['a million brackets', '['.repeat(1_000_000), 400],
  ['500,000 arrays in each other', `{"x":${'['.repeat(500_000)}${']'.repeat(500_000)}}`, 200],
  ['150,000 objects in each other', `{"x":${'{"a":'.repeat(150_000)}1${'}'.repeat(150_000)}}`, 200],
  ['80,000 keys', `{${Array.from({ length: 80_000 }, (_, index) => `"k${index}":1`).join(',')}}`, 200],
  ['a number of a million digits', `{"timeout":${'1'.repeat(1_000_000)}}`, 400],
  ['a name of a million characters', JSON.stringify({ slot_id: 'x'.repeat(1_000_000) }), 200],
])('%s is read and answered', async (_, body, status) => {
  expect((await send('/execute', body)).status).toBe(status)
})

test('300,000 items in a batch are answered one by one, and others get their turn in between', async () => {
  let turns = 0
  let isAnswered = false
  const body = `[${Array.from({ length: 300_000 }, () => '{}').join(',')}]`
  const answer = send('/batch', body).finally(() => {
    isAnswered = true
  })
  for (; !isAnswered; turns++) await setImmediate()
  expect(v.parse(v.array(v.unknown()), JSON.parse((await answer).text))).toHaveLength(300_000)
  expect(turns).toBeGreaterThan(2_000)
})
