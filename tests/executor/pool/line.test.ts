import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { Line } from '../../../src/executor/pool/line.ts'

test('is a set that knows its first', () => {
  const item = fc.nat({ max: 9 })
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom('add', 'delete'), item }),
    fc.constant({ kind: 'clear', item: 0 }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const [line, model] = [new Line<number>(), new Set<number>()]
      for (const { kind, item } of steps) {
        if (kind === 'clear') [line, model].forEach((each) => void each.clear())
        else [line, model].forEach((each) => void (kind === 'add' ? each.add(item) : each.delete(item)))
        expect([...line]).toEqual([...model])
        expect([line.size, line.first, line.has(item)]).toEqual([model.size, [...model][0], model.has(item)])
      }
    }),
    { seed: 8 },
  )
})
