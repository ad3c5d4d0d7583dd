/** Where the port of an allocation is. */
import { describe, expect, test } from 'bun:test'
import * as fc from 'fast-check'
import * as v from 'valibot'
import { addressOf, allocation, containersIn } from '../../src/discovery/nomad-allocations.ts'

const port = (Label: string, Value: number, HostIP?: string) => ({ Label, Value, To: 0, HostIP })
const network = (IP: string, ...DynamicPorts: object[]) => ({ IP, DynamicPorts, ReservedPorts: null })

const parsed = (fields: object) =>
  v.parse(allocation, {
    ID: 'a',
    TaskGroup: 'sandbox',
    DesiredStatus: 'run',
    ClientStatus: 'running',
    CreateIndex: 1,
    ...fields,
  })

/** Resources as Nomad's JSON has them. */
const address = (resources: object, label = 'http') => {
  const { AllocatedResources: allocated } = parsed({ AllocatedResources: resources })
  return allocated ? addressOf(allocated, label) : undefined
}

describe('addressOf', () => {
  const tasks = { server: { Networks: [network('10.0.0.3', port('http', 3))] } }
  const groupNetworks = [network('10.0.0.2', port('http', 2))]

  test('prefers the ports of the group, then its networks, then those of a task', () => {
    const Ports = [port('admin', 9, '10.0.0.1'), port('http', 1, '10.0.0.1')]
    expect(address({ Shared: { Ports, Networks: groupNetworks }, Tasks: tasks })).toBe('http://10.0.0.1:1')
    expect(address({ Shared: { Ports: null, Networks: groupNetworks }, Tasks: tasks })).toBe(
      'http://10.0.0.2:2',
    )
    expect(address({ Shared: { Ports: null, Networks: null }, Tasks: tasks })).toBe('http://10.0.0.3:3')
    expect(address({ Shared: null, Tasks: tasks })).toBe('http://10.0.0.3:3')
    expect(address({ Shared: null, Tasks: null })).toBeUndefined()
  })

  test('takes reserved ports, and the address of the group where a port has none', () => {
    const reserved = { IP: '10.0.0.2', DynamicPorts: null, ReservedPorts: [port('http', 7)] }
    expect(address({ Shared: { Ports: null, Networks: [reserved] } })).toBe('http://10.0.0.2:7')
    expect(address({ Shared: { Ports: [port('http', 1, '')], Networks: groupNetworks } })).toBe(
      'http://10.0.0.2:1',
    )
  })

  test('needs the label and a port that can be', () => {
    const Ports = [port('http', 0, '10.0.0.1'), port('other', 5, '10.0.0.1'), port('far', 70_000, '10.0.0.1')]
    expect(address({ Shared: { Ports, Networks: null } })).toBeUndefined()
    expect(address({ Shared: { Ports, Networks: null } }, 'far')).toBeUndefined()
    expect(address({ Shared: { Ports, Networks: null } }, 'other')).toBe('http://10.0.0.1:5')
  })

  test('any address and port come back as they were, IPv6 in brackets', () => {
    const ip = fc.oneof(
      fc.ipV4().map((text) => ({ text, host: text })),
      fc
        .ipV6()
        .filter((text) => URL.canParse(`http://[${text}]`))
        .map((text) => ({ text, host: new URL(`http://[${text}]`).hostname })),
      fc.constantFrom('localhost', 'node-1.dc1').map((text) => ({ text, host: text })),
    )
    const where = fc.constantFrom('ports', 'networks', 'tasks')
    fc.assert(
      fc.property(ip, fc.integer({ min: 1, max: 65_535 }), where, ({ text, host }, value, place) => {
        const networks = [network(text, port('other', 1), port('http', value))]
        const Ports = place === 'ports' ? [port('http', value, text)] : null
        const Tasks = place === 'tasks' ? { server: { Networks: networks } } : null
        const found = address({ Shared: { Ports, Networks: place === 'networks' ? networks : null }, Tasks })
        const url = new URL(found ?? 'none:')
        expect([url.hostname, url.port || '80', url.pathname]).toEqual([host, String(value), '/'])
      }),
    )
  })

  test('whatever is said of a host, the address is a whole one or none', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: -5, max: 70_000 }), (host, value) => {
        const found = address({ Shared: { Ports: [port('http', value, host)], Networks: null } })
        if (found === undefined) return
        const url = new URL(found)
        expect([url.origin, url.username, url.search, url.hash]).toEqual([found, '', '', ''])
        expect(url.port || '80').toBe(String(value))
      }),
    )
  })
})

describe('containersIn', () => {
  const at = (ip: string, fields: object = {}) =>
    parsed({ AllocatedResources: { Shared: { Ports: [port('http', 1, ip)] } }, ...fields })

  test('only what runs', () => {
    for (const ClientStatus of ['pending', 'complete', 'failed', 'lost', 'unknown']) {
      expect(containersIn([at('10.0.0.1', { ClientStatus })], undefined, 'http')).toEqual([])
    }
  })

  test('only the group that is named', () => {
    const found = [at('10.0.0.1'), at('10.0.0.2', { TaskGroup: 'other' })]
    expect(containersIn(found, 'other', 'http')).toEqual([{ addr: 'http://10.0.0.2:1', allocId: 'a' }])
    expect(containersIn(found, undefined, 'http')).toHaveLength(2)
  })

  test('what Nomad wants to end drains', () => {
    for (const DesiredStatus of ['stop', 'evict']) {
      expect(containersIn([at('10.0.0.1', { DesiredStatus })], undefined, 'http')).toEqual([
        { addr: 'http://10.0.0.1:1', allocId: 'a', draining: true },
      ])
    }
  })

  test('of two at one address the later one is there', () => {
    const found = [
      at('10.0.0.1', { ID: 'new', CreateIndex: 9 }),
      at('10.0.0.1', { ID: 'old', CreateIndex: 2 }),
    ]
    expect(containersIn(found, undefined, 'http')).toEqual([{ addr: 'http://10.0.0.1:1', allocId: 'new' }])
  })
})
