import { expect, test } from 'bun:test'
import { ExecutionIds } from '../../src/executor/execution-ids.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('ids are UUIDs, and no two are the same, of one executor or of many', () => {
  const makers = Array.from({ length: 100 }, () => new ExecutionIds())
  const ids = makers.flatMap((ids) => Array.from({ length: 1_000 }, () => ids.next()))
  expect(ids.filter((id) => !uuid.test(id))).toEqual([])
  expect(new Set(ids).size).toBe(ids.length)
})
