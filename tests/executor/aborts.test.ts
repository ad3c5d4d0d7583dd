import { describe, expect, test } from 'bun:test'
import { SimulatedClock } from 'xstate'
import { type Abortable, Aborts, lookMs } from '../../src/executor/aborts.ts'

class Item implements Abortable<Item> {
  readonly controller = new AbortController()
  readonly signal: AbortSignal
  young: Item[] | undefined
  youngAt = 0

  constructor(
    readonly name: string,
    signal?: AbortSignal,
  ) {
    this.signal = signal ?? this.controller.signal
  }
}

function watching(...names: string[]) {
  const clock = new SimulatedClock()
  const told: string[] = []
  const aborts = new Aborts<Item>(clock, ({ name }) => told.push(name))
  const items = names.map((name) => new Item(name))
  for (const item of items) aborts.watch(item)
  return { clock, told, aborts, items }
}

function look(clock: SimulatedClock, times = 1): void {
  for (let looked = 0; looked < times; looked += 1) clock.increment(lookMs)
}

describe.each([0, 1, 2, 3])('after %d looks', (looks) => {
  test('a signal that fires tells its item, once, at the next look at the latest', () => {
    const { clock, told, items } = watching('a', 'b', 'c')
    look(clock, looks)
    items[1]?.controller.abort()
    look(clock)
    expect(told).toEqual(['b'])
    look(clock, 5)
    expect(told).toEqual(['b'])
  })

  test('an item that was dropped is not told, whichever it was; the others are', () => {
    for (const dropped of [0, 1, 2]) {
      const { clock, told, aborts, items } = watching('a', 'b', 'c')
      look(clock, looks)
      for (const item of items.slice(dropped, dropped + 1)) aborts.drop(item)
      for (const { controller } of items) controller.abort()
      look(clock)
      expect(told.toSorted()).toEqual(['a', 'b', 'c'].filter((_, at) => at !== dropped))
    }
  })

  test('an item whose end is that of another tells only itself', () => {
    const clock = new SimulatedClock()
    const told: string[] = []
    const { signal, abort } = shared()
    const aborts: Aborts<Item> = new Aborts(clock, (item) => {
      told.push(item.name)
      for (const each of items) aborts.drop(each)
    })
    const items = ['a', 'b', 'c'].map((name) => new Item(name, signal))
    for (const item of items) aborts.watch(item)
    look(clock, looks)
    abort()
    look(clock)
    expect(told).toHaveLength(1)
  })
})

function shared() {
  const controller = new AbortController()
  return { signal: controller.signal, abort: () => controller.abort() }
}

test('from the second look on the signal is listened to', () => {
  const { clock, told, items } = watching('a')
  look(clock, 2)
  items[0]?.controller.abort()
  expect(told).toEqual(['a'])
})

test('nothing is looked at when nothing is young', () => {
  const { clock, aborts, items } = watching('a', 'b')
  let timers = 0
  const set = clock.setTimeout.bind(clock)
  clock.setTimeout = (task, ms) => {
    timers += 1
    return set(task, ms)
  }
  for (const item of items.slice(0, 1)) aborts.drop(item)
  look(clock, 10)
  expect(timers).toBe(1)
})
