import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { StreamedResults } from '../../src/batching/streamed-results.ts'
import type { BatchLine } from '../../src/protocol/batch.ts'

const calls = ['a', 'b', 'c', 'd'].map((executionId) => ({ executionId }))
const result = (execution_id: string | null): BatchLine => ({
  kind: 'result',
  value: { success: true, output: '', error: '', execution_id, metadata: {} },
})
const live = (execution_id: string): BatchLine => ({
  kind: 'live',
  value: { execution_id, stream: 'stdout', data: 'x', offset: 0 },
})
const done = (count: number): BatchLine => ({ kind: 'done', value: { done: true, count } })

test('each call gets its result once, in whatever order, among results of others (promise 7)', () => {
  const lines = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'foreign', null), { maxLength: 8 })
  fc.assert(
    fc.property(lines, (ids) => {
      const results = new StreamedResults(calls, 200)
      const answered = new Set<string>()
      for (const id of ids) {
        const isWanted = id !== null && id !== 'foreign' && !answered.has(id)
        if (isWanted) answered.add(id)
        expect(results.take(result(id))?.call.executionId).toBe(isWanted ? id : undefined)
      }
      expect(results.complaint === undefined).toBe(answered.size === ids.length)
      results.take(done(answered.size))
      expect(results.isDone).toBe(true)
      expect(results.complaint === undefined).toBe(answered.size === ids.length)
    }),
  )
})

test('output reaches a call until its result has come', () => {
  const results = new StreamedResults(calls, 200)
  const heard = ['a', 'b'].map((id) => results.take(live(id))?.call.executionId)
  results.take(result('a'))
  heard.push(...['a', 'b', 'foreign'].map((id) => results.take(live(id))?.call.executionId))
  expect(heard).toEqual(['a', 'b', undefined, 'b', undefined])
})

test.each([
  [['a', 'a'], 'it holds two results for a'],
  [['b', 'b'], 'it holds two results for b'],
  [['foreign'], 'it holds a result for foreign, which was not asked for'],
  [[null], 'it holds a result for nobody, which was not asked for'],
])('%p is wrong with an answer', (ids, complaint) => {
  const results = new StreamedResults(calls, 200)
  for (const id of ids) results.take(result(id))
  expect(results.complaint).toBe(`Something is wrong with the answer: ${complaint}`)
})

test('a last line that counts otherwise is wrong with an answer', () => {
  const results = new StreamedResults(calls, 200)
  results.take(result('a'))
  results.take(done(2))
  expect(results.complaint).toBe('Something is wrong with the answer: it tells of 2 results and holds 1')
})
