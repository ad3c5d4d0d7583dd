/** What every discovery must do, run with each of them. */
import { describe, expect, test } from 'bun:test'
import { NomadDiscovery } from '../../src/discovery/nomad-discovery.ts'
import { type StaticContainer, StaticDiscovery } from '../../src/discovery/static-discovery.ts'
import type { Discovery } from '../../src/ports/discovery.ts'
import { startNomad } from '../support/nomad-stand-in.ts'
import { watched } from './support.ts'

/** A discovery, and the world that it looks at. */
interface World extends AsyncDisposable {
  readonly discovery: Discovery
  /** Containers at these ports, and no others; those of `draining` are about to end. */
  show(ports: readonly number[], draining?: readonly number[]): void
  break(sentence: string): void
  repair(): void
}

function functionWorld(): World {
  let containers: StaticContainer[] = []
  let broken: string | undefined
  const ask = async () => {
    if (broken !== undefined) throw new Error(broken)
    return containers
  }
  return {
    discovery: new StaticDiscovery(ask, { intervalMs: 1 }),
    show: (ports, draining = []) => {
      containers = ports.map((port) => ({
        addr: `http://10.0.0.1:${port}`,
        allocId: String(port),
        draining: draining.includes(port),
      }))
    },
    break: (sentence) => {
      broken = sentence
    },
    repair: () => {
      broken = undefined
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

function nomadWorld(): World {
  const nomad = startNomad()
  const known = new Set<number>()
  return {
    discovery: new NomadDiscovery({ url: nomad.url, job: 'sandbox', retryMs: 1, maxRetryMs: 2 }),
    show: (ports, draining = []) => {
      for (const port of known) if (!ports.includes(port)) nomad.remove(String(port))
      for (const port of ports) {
        known.add(port)
        const desired = draining.includes(port) ? 'stop' : 'run'
        nomad.put('sandbox', { id: String(port), ip: '10.0.0.1', port, desired })
      }
    },
    break: (text) => {
      nomad.outage = { status: 500, text }
      nomad.put('other', { id: 'wakes' })
    },
    repair: () => {
      nomad.outage = undefined
    },
    [Symbol.asyncDispose]: () => nomad[Symbol.asyncDispose](),
  }
}

const worlds: [string, () => World][] = [
  ['static (a function)', functionWorld],
  ['Nomad', nomadWorld],
]

describe.each(worlds)('%s discovery', (_, create) => {
  const portsIn = (list: readonly { readonly addr: string }[] = []) =>
    list.map(({ addr }) => Number(new URL(addr).port)).sort()

  test('tells the whole list at once, an empty one too', async () => {
    await using world = create()
    await using empty = watched(world.discovery)
    await empty.until(() => empty.lists.length > 0)
    expect(empty.lists[0]).toEqual([])
    world.show([8_001, 8_002])
    await using full = watched(world.discovery)
    await full.until(() => full.lists.length > 0)
    expect(full.lists[0]?.map(({ addr, allocId }) => [addr, allocId])).toEqual([
      ['http://10.0.0.1:8001', '8001'],
      ['http://10.0.0.1:8002', '8002'],
    ])
  })

  test('tells the whole list whenever it changes: more, fewer, draining', async () => {
    await using world = create()
    world.show([8_001])
    await using seen = watched(world.discovery)
    await seen.until(() => portsIn(seen.lists.at(-1)).length === 1)
    world.show([8_001, 8_002])
    await seen.until(() => portsIn(seen.lists.at(-1)).length === 2)
    world.show([8_001, 8_002], [8_001])
    await seen.until(() => seen.lists.at(-1)?.some(({ draining }) => draining === true) === true)
    expect(seen.lists.at(-1)?.filter(({ draining }) => draining)).toMatchObject([
      { addr: 'http://10.0.0.1:8001' },
    ])
    world.show([8_002])
    await seen.until(() => portsIn(seen.lists.at(-1)).length === 1)
    expect(portsIn(seen.lists.at(-1))).toEqual([8_002])
  })

  test('says the same list once', async () => {
    await using world = create()
    world.show([8_001, 8_002])
    await using seen = watched(world.discovery)
    await seen.until(() => seen.lists.length > 0)
    for (let turn = 0; turn < 5; turn += 1) {
      world.show([8_002, 8_001])
      await Bun.sleep(3)
    }
    world.show([8_001])
    await seen.until(() => portsIn(seen.lists.at(-1)).length === 1)
    expect(seen.lists.map(portsIn)).toEqual([[8_001, 8_002], [8_001]])
  })

  test('tells trouble and tries again; the last list stays until a new one is known', async () => {
    await using world = create()
    world.show([8_001])
    await using seen = watched(world.discovery)
    await seen.until(() => seen.lists.length === 1)
    world.break('cluster on fire')
    world.show([8_001, 8_002])
    await seen.until(() => seen.troubles.length > 2)
    expect(seen.troubles.at(-1)).toContain('cluster on fire')
    expect(seen.lists).toHaveLength(1)
    world.repair()
    await seen.until(() => seen.lists.length === 2)
    expect(portsIn(seen.lists[1])).toEqual([8_001, 8_002])
  })

  test('ends when the signal fires, and tells nothing after it', async () => {
    await using world = create()
    const seen = watched(world.discovery)
    await seen.until(() => seen.lists.length === 1)
    await seen.stop()
    world.show([8_001])
    await Bun.sleep(5)
    expect([seen.lists.length, seen.troubles.length]).toEqual([1, 0])
    await world.discovery.watch(
      { onChange: () => expect.unreachable(), onTrouble: () => expect.unreachable() },
      AbortSignal.abort(),
    )
  })

  test('several may watch, each to its own end', async () => {
    await using world = create()
    const one = watched(world.discovery)
    await using two = watched(world.discovery)
    await one.until(() => one.lists.length === 1)
    await one.stop()
    world.show([8_001])
    await two.until(() => portsIn(two.lists.at(-1)).length === 1)
    expect(one.lists).toHaveLength(1)
  })
})
