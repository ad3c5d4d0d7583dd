import { describe, expect, test } from 'bun:test'
import { type AnyStateNode, and, assign, createMachine, setup } from 'xstate'
import { coordinatorMachine, slotMachine } from '../../src/actors/mod.ts'
import { type Chart, chartOf, statesWithin } from '../../src/inspector/chart-model.ts'

const ways = (chart: Chart, source: string) =>
  chart.transitions.filter((way) => way.source === source).map(({ event, targets }) => [event, ...targets])

function countStates(node: AnyStateNode): number {
  return Object.values(node.states).reduce((sum, inner) => sum + countStates(inner), 1)
}

describe('the model of a machine', () => {
  test.each([slotMachine, coordinatorMachine])('has every state of $id once, under its own id', (machine) => {
    const ids = statesWithin(chartOf(machine).root).map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.length).toBe(countStates(machine.root))
    for (const id of ids) expect(machine.getStateNodeById(id).id).toBe(id)
  })

  test.each([slotMachine, coordinatorMachine])('has every event of $id', (machine) => {
    const found = chartOf(machine).transitions.map(({ event }) => event)
    expect(found).toEqual(expect.arrayContaining([...machine.events]))
  })

  test('tells kinds, initial states, tags and descriptions', () => {
    const { root } = chartOf(coordinatorMachine)
    expect(root).toMatchObject({ id: 'coordinator', key: 'coordinator', kind: 'parallel' })
    expect(root.initial).toBeUndefined()
    const link = root.states.find(({ key }) => key === 'link')
    expect(link).toMatchObject({
      id: 'coordinator.link',
      kind: 'compound',
      initial: 'coordinator.link.unknown',
    })
    expect(link?.states[0]).toMatchObject({
      kind: 'atomic',
      description: 'Not tried yet, or not since it was lost or doubted.',
    })
    expect(chartOf(slotMachine).root.states[0]?.tags).toEqual(['idle'])
  })

  test('keeps a way of a compound state with that state, for all inside it', () => {
    const chart = chartOf(slotMachine)
    expect(ways(chart, 'slot.borrowed')).toEqual([['fault', 'slot.faulted.draining']])
    expect(ways(chart, 'slot.releasing')).toContainEqual(['execute'])
  })

  test('keeps ways without a target, also those that only say that an event is expected', () => {
    expect(ways(chartOf(coordinatorMachine), 'coordinator.wire.posting')).toContainEqual(['post.ended'])
  })

  test('names guards, actions, delays, actors and XState’s own events', () => {
    const machine = setup({
      guards: { isReady: () => true },
      delays: { later: 10 },
      actions: { greet: () => {} },
    }).createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: {
          entry: ['greet', () => {}],
          always: { guard: 'isReady', target: 'b' },
          after: { 1000: 'b', later: { target: 'c', actions: 'greet' } },
          on: { go: { guard: and(['isReady']), actions: assign({}) }, '*': { target: 'a', reenter: true } },
        },
        b: { initial: 'inner', states: { inner: { type: 'final' } }, onDone: 'c' },
        c: { type: 'history', history: 'deep', target: 'a' },
      },
    })
    const chart = chartOf(machine)
    expect(
      chart.transitions.map(({ source, event, guard, actions, reenter }) => [
        source,
        event,
        guard,
        actions,
        reenter,
      ]),
    ).toEqual([
      ['m.a', 'always', 'isReady', [], false],
      ['m.a', 'go', 'and', ['assign'], false],
      ['m.a', '*', undefined, [], true],
      ['m.a', 'after 1000 ms', undefined, [], false],
      ['m.a', 'after later', undefined, ['greet'], false],
      ['m.b', 'done', undefined, [], false],
    ])
    expect(chart.root.states[0]).toMatchObject({ entry: ['greet', 'inline'], exit: [] })
    expect(chart.root.states[2]).toMatchObject({ kind: 'history', initial: 'm.a' })
  })

  test('names what is invoked, and how it ends', () => {
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      states: { a: { invoke: { src: 'job', id: 'job', onDone: 'b', onError: { actions: 'tell' } } }, b: {} },
    })
    const chart = chartOf(machine)
    expect(chart.root.states[0]?.invokes).toEqual(['job'])
    expect(ways(chart, 'm.a')).toEqual([['done job', 'm.b'], ['error job']])
  })

  test('is plain data', () => {
    const chart = chartOf(slotMachine)
    expect(JSON.parse(JSON.stringify(chart))).toEqual(chart)
  })
})
