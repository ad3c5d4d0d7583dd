import { describe, expect, test } from 'bun:test'
import { AbortWatch } from '../../src/executor/abort-watch.ts'

interface Item {
  readonly name: string
}

const [a, b, c]: [Item, Item, Item] = [{ name: 'a' }, { name: 'b' }, { name: 'c' }]

function watching() {
  const told: string[] = []
  const watch = new AbortWatch<Item>(({ name }) => told.push(name))
  return { watch, told, controller: new AbortController() }
}

describe('a signal that fires tells', () => {
  test('each of its items, once', () => {
    const { watch, told, controller } = watching()
    for (const item of [a, b, c]) watch.watch(controller.signal, item)
    controller.abort()
    controller.signal.dispatchEvent(new Event('abort'))
    expect(told).toEqual(['a', 'b', 'c'])
  })

  test('not those that were dropped, whoever came first', () => {
    for (const dropped of [a, b, c]) {
      const { watch, told, controller } = watching()
      for (const item of [a, b, c]) watch.watch(controller.signal, item)
      watch.drop(controller.signal, dropped)
      controller.abort()
      expect(told).toEqual(['a', 'b', 'c'].filter((name) => name !== dropped.name))
    }
  })

  test('nobody, when all were dropped', () => {
    const { watch, told, controller } = watching()
    for (const item of [a, b]) watch.watch(controller.signal, item)
    for (const item of [b, a]) watch.drop(controller.signal, item)
    controller.abort()
    expect(told).toEqual([])
  })

  test('who came after all others were dropped', () => {
    for (const before of [[a], [a, b]]) {
      const { watch, told, controller } = watching()
      for (const item of before) watch.watch(controller.signal, item)
      for (const item of before) watch.drop(controller.signal, item)
      watch.watch(controller.signal, c)
      controller.abort()
      expect(told).toEqual(['c'])
    }
  })

  test('the one that watches it, when another is dropped that does not', () => {
    const { watch, told, controller } = watching()
    watch.watch(controller.signal, a)
    watch.drop(controller.signal, b)
    controller.abort()
    expect(told).toEqual(['a'])
  })
})

test('what fires tells its own items only', () => {
  const { watch, told, controller } = watching()
  const other = new AbortController()
  watch.watch(controller.signal, a)
  watch.watch(other.signal, b)
  other.abort()
  expect(told).toEqual(['b'])
})
