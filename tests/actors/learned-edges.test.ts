import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type Actor,
  type ActorOptions,
  type AnyStateMachine,
  createActor,
  createMachine,
  raise,
  SimulatedClock,
} from 'xstate'
import { coordinatorMachine } from '../../src/actors/coordinator.machine.ts'
import { createLearnedActor } from '../../src/actors/learned-actor.ts'
import { withLearnedEdges } from '../../src/actors/learned-edges.ts'
import { poolMachine } from '../../src/actors/pool.machine.ts'
import { slotMachine } from '../../src/actors/slot.machine.ts'
import { eventTypes, randomFrom, randomMachine, type Step, steps } from './random-machines.ts'
import { told } from './told.ts'

/** Everything that can be seen of two actors of one machine, one after the other: what the first has learned serves both. */
function histories(
  machine: AnyStateMachine,
  steps: readonly Step[],
  as: (machine: AnyStateMachine) => AnyStateMachine,
): unknown[] {
  let seen: unknown[] = []
  const logged =
    (name: string) =>
    ({ event, context, self }: { event: object; context: object; self: { id: string } }, params: unknown) =>
      void seen.push(['ran', name, self.id, event, context, params])
  const shared = as(machine.provide({ actions: { one: logged('one'), two: logged('two') } }))
  const stock: Make = (options) => createActor(shared, { ...options, id: 'one' })
  const ours: Make = (options) => createLearnedActor(shared, { ...options, id: 'one' })
  const makers = as === withLearnedEdges ? [stock, ours, ours] : [stock, stock, stock]
  return makers.map((make) => {
    seen = []
    live(make, steps, seen)
    return seen
  })
}

type Make = (options: Pick<ActorOptions<AnyStateMachine>, 'clock' | 'inspect'>) => Actor<AnyStateMachine>

function live(make: Make, steps: readonly Step[], seen: unknown[]): void {
  const clock = new SimulatedClock()
  const actor = make({ clock, inspect: (event) => seen.push(told(event)) })
  actor.subscribe({
    error: (error) => seen.push(['error', String(error)]),
    next: (each) => seen.push(['next', each.value]),
  })
  actor.on('*', (event: object) => seen.push(['emitted', event]))
  actor.start()
  for (const [at, event] of steps.entries()) {
    actor.send(event)
    if (at === 20) actor.system.inspect(({ type }) => seen.push(['a second inspector', type]))
    // Rarely, since what is raised for later may raise more.
    if (at % 16 === 8) clock.increment(5)
    const snapshot = actor.getSnapshot()
    if (snapshot.status === 'error') break
    seen.push([snapshot.value, snapshot.status, snapshot.context, [...snapshot.tags]])
    seen.push(eventTypes.map((type) => snapshot.can({ type, yes: true })))
    seen.push(JSON.stringify(actor.getPersistedSnapshot()))
  }
  actor.stop()
}

function both(machine: AnyStateMachine, steps: readonly Step[]): [stock: unknown[], learned: unknown[]] {
  return [histories(machine, steps, (stock) => stock), histories(machine, steps, withLearnedEdges)]
}

describe('a chart with learned edges', () => {
  for (const wild of [0, 1, 4]) {
    test(`is the same machine, whatever it is (${wild} of 10 parts not plain)`, () => {
      fc.assert(
        fc.property(fc.nat(), steps, (seed, events) => {
          const machine = randomMachine(randomFrom(seed), wild)
          const [stock, learned] = both(machine, events)
          expect(learned).toEqual(stock)
        }),
        { numRuns: 150 },
      )
    })
  }

  for (const machine of [slotMachine, coordinatorMachine, poolMachine]) {
    test(`is the same ${machine.id}`, () => {
      const types = fc.constantFrom(...machine.events)
      fc.assert(
        fc.property(fc.array(types, { minLength: 50, maxLength: 200 }), (sent) => {
          const [stock, learned] = both(
            machine,
            sent.map((type) => ({ type, yes: true })),
          )
          expect(learned).toEqual(stock)
        }),
        { numRuns: 50 },
      )
    })
  }

  test('runs its actions for each event, with that event', () => {
    const ran: unknown[] = []
    const machine = createMachine({
      context: {},
      on: { a: { actions: ({ event, self }) => ran.push([event.number, self.id]) } },
    })
    const learned = withLearnedEdges(machine)
    for (const id of ['x', 'y']) {
      const actor = createActor(learned, { id }).start()
      for (const number of [1, 2, 3]) actor.send({ type: 'a', number })
    }
    expect(ran).toEqual([
      [1, 'x'],
      [2, 'x'],
      [3, 'x'],
      [1, 'y'],
      [2, 'y'],
      [3, 'y'],
    ])
  })

  test('shares the snapshots of one configuration among actors', () => {
    const learned = withLearnedEdges(slotMachine)
    const [one, other] = [createActor(learned).start(), createActor(learned).start()]
    expect(other.getSnapshot()).toBe(one.getSnapshot())
    for (const actor of [one, other]) actor.send({ type: 'acquire', trajectoryId: null })
    expect(other.getSnapshot()).toBe(one.getSnapshot())
    expect(one.getSnapshot().value).toEqual({ acquired: 'ready' })
  })

  test('works out a plain edge once', () => {
    let asked = 0
    const machine = createMachine({
      context: {},
      initial: 'x',
      states: { x: { on: { a: 'y' } }, y: { on: { a: 'x' } } },
    })
    const getTransitionData = machine.getTransitionData.bind(machine)
    machine.getTransitionData = (...args) => {
      asked += 1
      return getTransitionData(...args)
    }
    const actor = createActor(withLearnedEdges(machine)).start()
    for (let time = 0; time < 2; time += 1) actor.send({ type: 'a' })
    const learned = asked
    for (let time = 0; time < 100; time += 1) actor.send({ type: 'a' })
    expect(learned).toBeGreaterThan(0)
    expect(asked).toBe(learned)
  })

  test('takes a beginning of several steps as the machine does, for each actor', () => {
    const beginnings = {
      final: { initial: 'over', states: { over: { type: 'final' } } },
      raising: { entry: raise({ type: 'a' }), on: { a: 'y' } },
    } as const
    for (const x of Object.values(beginnings)) {
      const machine = createMachine({ id: 'm', context: {}, initial: 'x', states: { x, y: {} } })
      const [stock, learned] = both(machine, [])
      expect(learned).toEqual(stock)
    }
  })

  test('asks the guards of its beginning each time', () => {
    let isOpen = false
    const machine = createMachine({
      context: {},
      initial: 'x',
      states: { x: { always: { target: 'y', guard: () => isOpen } }, y: {} },
    })
    const learned = withLearnedEdges(machine)
    expect(createActor(learned).getSnapshot().value).toBe('x')
    isOpen = true
    expect(createActor(learned).getSnapshot().value).toBe('y')
  })

  test('starts again from a persisted snapshot', () => {
    const learned = withLearnedEdges(slotMachine)
    const actor = createActor(learned).start()
    actor.send({ type: 'acquire', trajectoryId: null })
    const snapshot = actor.getPersistedSnapshot()
    expect(createActor(learned, { snapshot }).start().getSnapshot().value).toEqual({ acquired: 'ready' })
  })

  test('passes an error of an action on', () => {
    let isBroken = false
    const action = () => {
      if (isBroken) throw new Error('broken')
    }
    const actor = createActor(
      withLearnedEdges(createMachine({ context: {}, on: { a: { actions: action } } })),
    )
    actor.subscribe({ error: () => {} })
    actor.start()
    actor.send({ type: 'a' })
    actor.send({ type: 'a' })
    isBroken = true
    actor.send({ type: 'a' })
    expect(actor.getSnapshot()).toMatchObject({ status: 'error', error: new Error('broken') })
  })
})
