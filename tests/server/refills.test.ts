/** When the sandboxes of later calls are made: a few at a time, after the calls that begin now. */
import { expect, test } from 'bun:test'
import { Refills } from '../../src/server/sandbox/refills.ts'
import { eventually } from './support.ts'

const NEVER_MS = 2 ** 30

/** What is made, in order; each is under way until it is told to be done. */
function recorded() {
  const made: string[] = []
  const dones = new Map<string, () => void>()
  const make = (name: string) => () => {
    made.push(name)
    const { promise, resolve } = Promise.withResolvers<void>()
    dones.set(name, resolve)
    return promise
  }
  const done = async (name: string) => {
    dones.get(name)?.()
    await Bun.sleep(0)
  }
  const keys = new Map<string, object>()
  const key = (name: string) => keys.get(name) ?? keys.set(name, { name }).get(name) ?? {}
  const add = (refills: Refills, ...names: readonly string[]) => {
    for (const name of names) refills.add(key(name), make(name))
  }
  return { made, done, key, add }
}

test('so many are made at a time, in the order in which they were asked for', async () => {
  const { made, done, add } = recorded()
  const refills = new Refills(2, NEVER_MS)
  add(refills, 'a', 'b', 'c', 'd')
  expect(made).toEqual(['a', 'b'])
  await done('b')
  expect(made).toEqual(['a', 'b', 'c'])
  await done('a')
  expect(made).toEqual(['a', 'b', 'c', 'd'])
})

test('they wait for calls in their first moments, and go on when one of them ends', async () => {
  const { made, add } = recorded()
  const refills = new Refills(2, NEVER_MS)
  const first = Promise.withResolvers<void>()
  refills.yieldTo(first.promise)
  add(refills, 'a')
  expect(made).toEqual(['a'])
  refills.yieldTo(Promise.withResolvers<void>().promise)
  add(refills, 'b')
  expect(made).toEqual(['a'])
  first.resolve()
  await Bun.sleep(0)
  expect(made).toEqual(['a', 'b'])
})

test('they do not wait for a call to end', async () => {
  const { made, add } = recorded()
  const refills = new Refills(1, 1)
  refills.yieldTo(Promise.withResolvers<void>().promise)
  add(refills, 'a')
  expect(made).toEqual([])
  expect(await eventually(() => made.length === 1)).toBe(true)
})

test('one that is not wanted any more is not made, and one that is asked for twice is made once', async () => {
  const { made, done, key, add } = recorded()
  const refills = new Refills(1, NEVER_MS)
  add(refills, 'a', 'b', 'c', 'c')
  refills.drop(key('b'))
  await done('a')
  expect(made).toEqual(['a', 'c'])
  await done('c')
  expect(made).toEqual(['a', 'c'])
})
