import { expect, test } from 'bun:test'
import { CallQueue, type Queued } from '../../src/executor/call-queue.ts'
import { randomFrom } from '../actors/random-machines.ts'

class Waiting implements Queued<Waiting> {
  queue: object | undefined
  before: Waiting | undefined
  behind: Waiting | undefined
}

test('who left in any way may come again, to any queue: 20,000 steps beside plain arrays', () => {
  const random = randomFrom(1)
  const all = Array.from({ length: 6 }, () => new Waiting())
  const queues = [new CallQueue<Waiting>(), new CallQueue<Waiting>()].map((queue) => ({
    queue,
    model: [] as Waiting[],
  }))
  for (let step = 0; step < 20_000; step += 1) {
    for (const { queue, model } of queues) {
      const [first, some] = [model[0], all[random(all.length)]]
      const choice = random(100)
      if (choice < 5) expect(same(queue.takeAll(), model.splice(0))).toBe(true)
      else if (choice < 20) expect(queue.takeFirst() === first && model.shift() === first).toBe(true)
      else if (some !== undefined && queues.every((each) => !each.model.includes(some))) {
        queue.add(some)
        model.push(some)
      } else if (some !== undefined) {
        const at = model.indexOf(some)
        expect(queue.delete(some)).toBe(at >= 0)
        if (at >= 0) model.splice(at, 1)
      }
      expect(queue.size).toBe(model.length)
      expect(same(queue.list(), model)).toBe(true)
      expect(all.every((each) => queue.has(each) === model.includes(each))).toBe(true)
    }
  }
})

/** By identity: they look alike. */
function same(some: readonly Waiting[], others: readonly Waiting[]): boolean {
  return some.length === others.length && some.every((each, index) => each === others[index])
}
