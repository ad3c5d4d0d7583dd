import { describe, expect, test } from 'bun:test'
import { SimulatedClock } from 'xstate'
import { StaticDiscovery, staticDiscovery } from '../../src/discovery/static-discovery.ts'
import { SandboxUsageError } from '../../src/errors.ts'
import { settled } from '../support/scripted-container.ts'
import { watched } from './support.ts'

describe('a list', () => {
  test('is told once, in one form, each address once', async () => {
    const seen = watched(staticDiscovery(['10.0.0.1:8080', 'HTTP://10.0.0.1:8080/', 'https://box/a/']))
    await settled()
    expect(seen.lists).toEqual([[{ addr: 'http://10.0.0.1:8080' }, { addr: 'https://box/a' }]])
    await seen.stop()
  })

  test('needs no timer', async () => {
    const clock = new SimulatedClock()
    const seen = watched(new StaticDiscovery(['a:1'], {}, clock))
    await settled()
    clock.increment(1_000_000)
    await settled()
    expect([seen.lists.length, seen.troubles.length]).toEqual([1, 0])
    await seen.stop()
  })

  test.each([
    [['a:1', 'ftp://b'], 'ftp://b'],
    [['a:1', ''], '""'],
    [['http://a?x=1'], 'http://a?x=1'],
    [[{ addr: 'a:1', alocId: 'x' }], 'alocId'],
    ['a:1', 'a:1'],
    [{}, 'an object'],
    [[7], '7'],
  ])('refuses %j', (addresses: unknown, named) => {
    expect(() => Reflect.construct(StaticDiscovery, [addresses])).toThrow(SandboxUsageError)
    expect(() => Reflect.construct(StaticDiscovery, [addresses])).toThrow(named)
  })

  test.each([{ intervalMs: 0 }, { interval: 5 }])('refuses the options %j', (options) => {
    expect(() => Reflect.construct(StaticDiscovery, [['a:1'], options])).toThrow(SandboxUsageError)
  })
})

describe('a function', () => {
  test('is asked again every intervalMs, and not before', async () => {
    const clock = new SimulatedClock()
    let asked = 0
    const ask = () => {
      asked += 1
      return [`a:${asked}`]
    }
    const seen = watched(new StaticDiscovery(ask, { intervalMs: 100 }, clock))
    await settled()
    clock.increment(99)
    await settled()
    expect(asked).toBe(1)
    clock.increment(1)
    await settled()
    expect(seen.lists.map(([first]) => first?.addr)).toEqual(['http://a:1', 'http://a:2'])
    await seen.stop()
    clock.increment(1_000)
    await settled()
    expect(asked).toBe(2)
  })

  test('that throws, rejects or gives no addresses is trouble', async () => {
    const clock = new SimulatedClock()
    const answers: (() => never | Promise<never[]> | string[])[] = [
      () => {
        throw new Error('thrown')
      },
      () => Promise.reject(new Error('rejected')),
      () => ['not an address'],
      () => ['a:1'],
    ]
    const seen = watched(
      new StaticDiscovery(() => (answers.shift() ?? (() => []))(), { intervalMs: 10 }, clock),
    )
    for (let turn = 0; turn < 4; turn += 1) {
      await settled()
      clock.increment(60)
    }
    await seen.stop()
    expect(seen.troubles).toEqual(['thrown', 'rejected', expect.stringContaining('"not an address"')])
    expect(seen.lists[0]).toEqual([{ addr: 'http://a:1' }])
  })

  test('that never answers does not keep the watch from ending', async () => {
    const { promise } = Promise.withResolvers<string[]>()
    const seen = watched(staticDiscovery(() => promise))
    await settled()
    await seen.stop()
    expect(seen.lists).toEqual([])
  })

  test('is told when nobody wants to know any more', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const seen = watched(
      staticDiscovery((signal) => {
        signal.addEventListener('abort', () => resolve())
        return []
      }),
    )
    await seen.stop()
    await promise
  })
})
