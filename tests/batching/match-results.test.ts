import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { matchOne, matchResults } from '../../src/batching/match-results.ts'

const calls = (...ids: string[]) => ids.map((executionId) => ({ executionId }))
const item = (execution_id: string | null, output = '') => ({ success: true, output, execution_id })
const outputs = (settlements: ReturnType<typeof matchResults>) =>
  settlements.map((each) =>
    each.kind === 'answered' ? (each.value as { output: string }).output : `${each.outcome} ${each.code}`,
  )
const match = (ids: string[], items: unknown[]) => outputs(matchResults(calls(...ids), items, 200))

describe('matchResults (promise 7: results reach their own call)', () => {
  test('matches by executionId, whatever the order', () => {
    expect(match(['a', 'b', 'c'], [item('c', 'C'), item('a', 'A'), item('b', 'B')])).toEqual(['A', 'B', 'C'])
  })

  test('takes an item without an id by its position', () => {
    expect(match(['a', 'b'], [item(null, 'A'), item('b', 'B')])).toEqual(['A', 'B'])
  })

  test('does not take an item without an id from a call that has its own', () => {
    expect(match(['a', 'b'], [item('b', 'B'), item(null, 'X')])).toEqual(['unknown missing-result', 'B'])
  })

  test('ends a call whose item is missing', () => {
    expect(match(['a', 'b'], [item('b', 'B')])).toEqual(['unknown missing-result', 'B'])
    expect(match(['a', 'b'], [])).toEqual(['unknown missing-result', 'unknown missing-result'])
  })

  test('leaves foreign and surplus items alone', () => {
    expect(match(['a'], [item('zz', 'Z'), item('a', 'A'), item(null, 'N')])).toEqual(['A'])
    expect(match(['a', 'b'], [item('zz', 'Z'), item('b', 'B')])).toEqual(['unknown missing-result', 'B'])
  })

  test('trusts neither of two results for one call', () => {
    expect(match(['a', 'b'], [item('a', 'A1'), item('a', 'A2')])).toEqual([
      'unknown bad-response',
      'unknown missing-result',
    ])
  })

  test('a malformed item spoils its own call and no other', () => {
    expect(match(['a', 'b'], [7, item('b', 'B')])).toEqual(['unknown bad-response', 'B'])
    expect(match(['a', 'b'], [{ execution_id: 'b', success: 'yes' }, item('a', 'A')])).toEqual([
      'A',
      'unknown bad-response',
    ])
  })

  test('never gives a call the result of another, whatever the server does', () => {
    const answer = fc.oneof(
      fc.constantFrom('a', 'b', 'c', 'foreign').map((id) => item(id, id)),
      fc.constant(7),
      fc.constantFrom('a', 'b', 'c').map((id) => ({ execution_id: id, output: 3 })),
    )
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 6 }), (items) => {
        for (const [index, output] of match(['a', 'b', 'c'], items).entries()) {
          expect([['a', 'b', 'c'][index], 'unknown missing-result', 'unknown bad-response']).toContain(output)
        }
      }),
    )
  })
})

test.each([
  ['interrupted', 'unknown interrupted'],
  ['server_stopping', 'not-run interrupted'],
  ['sandbox_failed', 'not-run slot-faulted'],
])('what the server ended is not taken for the tool: %s', (code, expected) => {
  expect(match(['a'], [{ ...item('a'), success: false, error: 'why', code }])).toEqual([expected])
})

test('a code that is not known is nothing', () => {
  expect(match(['a'], [{ ...item('a', 'A'), code: 'later' }])).toEqual(['A'])
})

test('matchOne refuses an answer for another call, and takes one without an id', () => {
  const body = { success: true, output: 'x', error: '', metadata: {} }
  expect(matchOne({ executionId: 'a' }, { ...body, execution_id: 'a' }, 200).kind).toBe('answered')
  expect(matchOne({ executionId: 'a' }, { ...body, execution_id: null }, 200).kind).toBe('answered')
  expect(matchOne({ executionId: 'a' }, { ...body, execution_id: 'b' }, 200)).toMatchObject({
    kind: 'failed',
    outcome: 'unknown',
    code: 'bad-response',
  })
})
