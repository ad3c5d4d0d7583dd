import { describe, expect, test } from 'bun:test'
import { createActor, initialTransition, transition } from 'xstate'
import type { Call, SlotEvent } from '../../src/actors/messages.ts'
import { slotMachine } from '../../src/actors/slot.machine.ts'
import { slotStateOf } from '../../src/actors/states.ts'
import { aloneLane } from '../../src/batching/lanes.ts'
import { notRun } from '../../src/batching/settlement.ts'

const call: Call = {
  executionId: 'a',
  route: '/execute',
  lane: aloneLane,
  body: '',
  bytes: 0,
  timeoutMs: 1,
  needs: [],
}
const failure = notRun('closed', 'over')
const settlement = { kind: 'answered', status: 200, value: {} } as const
const ended = { call, settlement }
const refusal = { refused: [], failure }

const events = {
  acquire: { type: 'acquire', trajectoryId: 't' },
  release: { type: 'release', ...refusal },
  'release.reset': { type: 'release.reset', call, ...refusal },
  execute: { type: 'execute', call },
  reset: { type: 'reset', call },
  cancel: { type: 'cancel', ...ended },
  'cancel.ask': { type: 'cancel.ask', call },
  settled: { type: 'settled', ...ended },
  'settled.next': { type: 'settled.next', next: call, ...ended },
  'settled.reset': { type: 'settled.reset', next: call, ...ended },
  'reset.failed': { type: 'reset.failed', ...ended, ...refusal },
  fault: { type: 'fault', ...refusal },
} satisfies Record<SlotEvent['type'], SlotEvent>

/** Walks the chart as a pure function: what it shows after each event, and the actions taken on the way. */
function walk(...types: SlotEvent['type'][]): { shows: string[]; actions: string[] } {
  let [snapshot] = initialTransition(slotMachine)
  const shows: string[] = []
  const actions: string[] = []
  for (const type of types) {
    const [next, taken] = transition(slotMachine, snapshot, events[type])
    snapshot = next
    shows.push(slotStateOf(next))
    actions.push(...taken.map((action) => action.type))
  }
  return { shows, actions }
}

describe('the chart of a slot', () => {
  test('an idle slot is leased for one call, and is idle again', () => {
    expect(walk('execute', 'settled')).toEqual({ shows: ['executing', 'idle'], actions: ['start', 'settle'] })
  })

  test('an acquired slot stays acquired, also after many calls', () => {
    expect(walk('acquire', 'execute', 'execute', 'settled.next', 'settled')).toEqual({
      shows: ['acquired', 'executing', 'executing', 'executing', 'acquired'],
      actions: ['start', 'wait', 'settle', 'startNext', 'settle'],
    })
  })

  test('a call that the server can end is settled by its answer, once', () => {
    expect(walk('execute', 'cancel.ask', 'cancel.ask', 'execute', 'settled.next')).toEqual({
      shows: ['executing', 'cancelling', 'cancelling', 'cancelling', 'executing'],
      actions: ['start', 'requestCancel', 'wait', 'settle', 'startNext'],
    })
    expect(walk('acquire', 'execute', 'release', 'cancel.ask', 'settled')).toEqual({
      shows: ['acquired', 'executing', 'releasing', 'releasing', 'idle'],
      actions: ['start', 'refuseWaiting', 'requestCancel', 'settle'],
    })
    expect(walk('execute', 'fault', 'cancel.ask', 'settled').actions).toEqual([
      'start',
      'refuseWaiting',
      'requestCancel',
      'settle',
    ])
  })

  test('a cancelled call holds the slot until the server has answered', () => {
    expect(walk('execute', 'cancel', 'execute', 'settled.next', 'settled').shows).toEqual([
      'executing',
      'cancelling',
      'cancelling',
      'executing',
      'idle',
    ])
  })

  test('a cancelled call is told once: cancelling again does nothing', () => {
    expect(walk('execute', 'cancel', 'cancel').actions).toEqual(['start', 'settle'])
  })

  test.each([
    [['reset', 'settled'], 'idle'],
    [['acquire', 'reset', 'settled'], 'acquired'],
    [['acquire', 'execute', 'reset', 'settled.reset', 'settled'], 'acquired'],
    [['execute', 'reset', 'settled.reset', 'settled.next', 'settled'], 'idle'],
  ] as const)('a reset waits and leads back: %p → %s', (types, state) => {
    expect(walk(...types).shows.at(-1)).toBe(state)
    expect(walk(...types).shows).toContain('resetting')
  })

  test('a failed reset faults the slot, a later one that succeeds brings it back', () => {
    expect(walk('acquire', 'reset', 'reset.failed', 'execute', 'reset', 'settled')).toEqual({
      shows: ['acquired', 'resetting', 'faulted', 'faulted', 'resetting', 'idle'],
      actions: ['start', 'settle', 'refuseWaiting', 'refuse', 'start', 'settle'],
    })
  })

  test('a fault while a call runs shows at once; the call still ends', () => {
    expect(walk('execute', 'fault', 'execute', 'settled', 'reset', 'settled')).toEqual({
      shows: ['executing', 'faulted', 'faulted', 'faulted', 'resetting', 'idle'],
      actions: ['start', 'refuseWaiting', 'refuse', 'settle', 'start', 'settle'],
    })
  })

  test('a release waits for the running call and refuses those behind it', () => {
    expect(walk('acquire', 'execute', 'release', 'settled')).toEqual({
      shows: ['acquired', 'executing', 'releasing', 'idle'],
      actions: ['start', 'refuseWaiting', 'settle'],
    })
  })

  test('a release with reset resets before the next owner gets the slot', () => {
    expect(walk('acquire', 'execute', 'release.reset', 'settled.reset', 'settled').shows).toEqual([
      'acquired',
      'executing',
      'releasing',
      'releasing',
      'idle',
    ])
    expect(walk('acquire', 'release.reset', 'reset.failed').shows.at(-1)).toBe('faulted')
  })

  test('acquire is only taken when idle, release only when acquired', () => {
    const [idle] = initialTransition(slotMachine)
    const actor = createActor(slotMachine).start()
    expect(idle.can(events.acquire)).toBe(true)
    expect(idle.can(events.release)).toBe(false)
    actor.send(events.execute)
    expect(actor.getSnapshot().can(events.acquire)).toBe(false)
    actor.stop()
  })

  test('every leaf shows exactly one state', () => {
    for (const node of leaves(slotMachine.root)) {
      const tags = [...node.tags, ...(node.parent?.tags ?? [])]
      expect([node.id, tags.length]).toEqual([node.id, 1])
    }
  })
})

describe('the shape that lets hot edges be learned once and replayed', () => {
  test('no edge has a guard, and no state an invoke, a timer or an entry action', () => {
    for (const node of allStates(slotMachine.root)) {
      expect(node.invoke).toEqual([])
      expect([...node.entry, ...node.exit, ...node.after]).toEqual([])
      expect(node.always ?? []).toEqual([])
      for (const edge of [...node.transitions.values()].flat()) expect(edge.guard).toBeUndefined()
    }
  })

  test('all actions are names: no assign, raise or function', () => {
    for (const node of allStates(slotMachine.root)) {
      for (const edge of [...node.transitions.values()].flat()) {
        for (const action of edge.actions) expect(action).toBeString()
      }
    }
  })
})

type Node = typeof slotMachine.root

function allStates(node: Node): Node[] {
  return [node, ...Object.values(node.states).flatMap((child) => allStates(child as Node))]
}

function leaves(node: Node): Node[] {
  return allStates(node).filter((each) => Object.keys(each.states).length === 0)
}
