import { expect, test } from 'bun:test'
import { inOrder } from '../../src/server/artifacts/in-order.ts'

test.each([0, 1, 4_095, 4_096, 4_097, 12_289, 30_000])(
  '%i names come in order, equal ones as they came',
  async (count) => {
    const items = Array.from({ length: count }, (_, index) => ({ key: (index * 7_919) % 1_000, index }))
    const byKey = (a: { key: number }, b: { key: number }) => a.key - b.key
    expect(await inOrder(items, byKey)).toEqual(items.toSorted(byKey))
  },
)
