import { expect, test } from 'bun:test'
import * as v from 'valibot'
import { extendedBatchRequest, parseBatchLine } from '../../src/protocol/batch.ts'
import { cancelRequest, cancelResponse } from '../../src/protocol/cancel.ts'
import { parseContainerStatus } from '../../src/protocol/health.ts'
import { filesRoute } from '../../src/protocol/routes.ts'

test('a result line is parsed as the answer to one call, with its code', () => {
  expect(parseBatchLine('{"success":false,"error":"gone","execution_id":"a","code":"interrupted"}')).toEqual({
    kind: 'result',
    value: {
      success: false,
      output: '',
      error: 'gone',
      execution_id: 'a',
      metadata: {},
      code: 'interrupted',
    },
  })
})

test('live output and the end have lines of their own', () => {
  const piece = { execution_id: 'a', stream: 'stderr', data: 'é\n', offset: 3 }
  expect(parseBatchLine(JSON.stringify(piece))).toEqual({
    kind: 'live',
    value: { ...piece, stream: 'stderr' },
  })
  expect(parseBatchLine('{"done":true,"count":2}')).toEqual({ kind: 'done', value: { done: true, count: 2 } })
})

test.each([
  ['{"execution_id":"a","success":"yes"}', 'a', 'success'],
  ['{"execution_id":"a","stream":"stdin","data":"","offset":0}', 'a', 'stream'],
  ['{"done":false,"count":2}', null, 'done'],
  ['[1]', null, 'no JSON object'],
  ['{"execution_id":"a","succ', null, 'no JSON object'],
  ['', null, 'no JSON object'],
])('%j is malformed, and tells whose it seems to be', (line, executionId, message) => {
  expect(parseBatchLine(line)).toEqual({
    kind: 'malformed',
    executionId,
    message: expect.stringContaining(message),
  })
})

test('items of an extended batch may ask for live output, and for nothing else that is new', () => {
  const item = { slot_id: 'slot_0', tool: 'bash', args: {}, execution_id: 'a', timeout: 1 }
  expect(v.is(extendedBatchRequest, [item, { ...item, live: true }])).toBe(true)
  expect(v.is(extendedBatchRequest, [{ ...item, lively: true }])).toBe(false)
})

test('a cancellation names calls, and its answer sorts them', () => {
  expect(v.is(cancelRequest, { execution_ids: ['a'] })).toBe(true)
  expect(v.is(cancelRequest, { execution_ids: [''] })).toBe(false)
  expect(v.is(cancelResponse, { cancelled: ['a'], finished: [], unknown: ['b'] })).toBe(true)
})

test('an extended server is known by its health', () => {
  const told = {
    status: 'ok',
    ...{ protocol: 2, ledger: 'L', features: ['ndjson'], max_body_bytes: 9, max_timeout: 60 },
    ...{ ledger_retention: 3600, detach_grace: 5 },
  }
  expect(parseContainerStatus(told)).toEqual({
    status: 'ok',
    ...{ protocol: 2, ledger: 'L', features: ['ndjson'], maxBodyBytes: 9, maxTimeoutMs: 60_000 },
    ...{ ledgerRetentionMs: 3_600_000, detachGraceMs: 5_000 },
    raw: {},
  })
})

test('the route of a file keeps slashes and escapes what a URL would take for its own', () => {
  expect(filesRoute('slot_0', './a b//c#?%.txt')).toBe('/files/slot_0/a%20b/c%23%3F%25.txt')
})

test.each([
  '..',
  '../../health',
  'a/../b',
  '/etc/passwd',
  '',
  '.',
  '/workspace',
  '/workspace/',
  '/workspace/../x',
  '/workspaces/x',
])('%j has no route', (path) => {
  expect(filesRoute('slot_0', path)).toBeUndefined()
})
