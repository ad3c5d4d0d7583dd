import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type AnyStateMachine,
  assign,
  createActor,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  type InspectionEvent,
  raise,
  SimulatedClock,
  sendTo,
} from 'xstate'
import { coordinatorMachine } from '../../src/actors/coordinator.machine.ts'
import { withLearnedEdges } from '../../src/actors/learned-edges.ts'
import { poolMachine } from '../../src/actors/pool.machine.ts'
import { slotMachine } from '../../src/actors/slot.machine.ts'

interface Step {
  readonly type: string
  readonly yes: boolean
}

const eventTypes = ['a', 'b', 'c', 'd.e'] as const

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
  return ['first', 'second'].map((id) => {
    seen = []
    live(shared, id, steps, seen)
    return seen
  })
}

function live(machine: AnyStateMachine, id: string, steps: readonly Step[], seen: unknown[]): void {
  const clock = new SimulatedClock()
  const actor = createActor(machine, { id, clock, inspect: (event) => seen.push(told(event)) })
  actor.subscribe({
    error: (error) => seen.push(['error', String(error)]),
    next: (each) => seen.push(['next', each.value]),
  })
  actor.on('*', (event: object) => seen.push(['emitted', event]))
  actor.start()
  for (const [at, event] of steps.entries()) {
    actor.send(event)
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

function told(event: InspectionEvent): unknown {
  switch (event.type) {
    case '@xstate.actor':
      return event.type
    case '@xstate.event':
      return [event.type, event.event.type]
    case '@xstate.action':
      return [event.type, event.action.type]
    case '@xstate.snapshot':
      return [event.type, event.event.type, shown(event.snapshot)]
    case '@xstate.microstep':
      return [
        event.type,
        event.event.type,
        shown(event.snapshot),
        event._transitions.map(({ source, target, eventType }) => [
          source.id,
          target?.map(({ id }) => id),
          eventType,
        ]),
      ]
  }
}

function shown(snapshot: object): unknown {
  return 'value' in snapshot && 'status' in snapshot
    ? [snapshot.value, snapshot.status]
    : Object.keys(snapshot)
}

// What an action may be: the first ones plain, the others XState's own business.
const plainActions = ['one', 'two', { type: 'one', params: { fixed: 1 } }] as const
const otherActions = [
  { type: 'two', params: ({ event }: { event: { yes?: boolean } }) => ({ was: event.yes }) },
  assign({ count: ({ context }) => context.count + 1 }),
  raise({ type: 'b' }),
  raise({ type: 'c' }, { delay: 5 }),
  emit(({ event }) => ({ type: 'told', event })),
  sendTo(
    ({ self }) => self,
    ({ event }) => ({ type: event.type === 'a' ? 'b' : 'nobody.knows' }),
    { delay: 5 },
  ),
  enqueueActions(({ enqueue, event }) => {
    if ('yes' in event && event.yes === true) enqueue('one')
  }),
] as const
const guards = [
  undefined,
  ({ event }: { event: { yes?: boolean } }) => event.yes === true,
  ({ context }: { context: { count: number } }) => context.count > 1,
]
const silent = fromCallback(() => {})

type Random = (below: number) => number

/** Numbers that look random and are the same for the same seed: a machine cannot be shrunk piece by piece. */
function randomFrom(seed: number): Random {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A machine of at most three levels; `wild` of ten of its parts are not plain. */
function randomMachine(random: Random, wild: number): AnyStateMachine {
  const paths: string[] = []
  const isWild = () => random(10) < wild
  const shape = (path: string, depth: number): object => {
    paths.push(path)
    const count = depth === 0 ? 2 + random(2) : depth < 3 && random(10) < 4 ? 1 + random(3) : 0
    const states = Object.fromEntries(
      Array.from({ length: count }, (_, at) => [`s${at}`, shape(`${path}.s${at}`, depth + 1)]),
    )
    return { states, depth }
  }
  const root = shape('m', 0)
  const actions = () =>
    Array.from({ length: random(3) }, () =>
      isWild() ? otherActions[random(otherActions.length)] : plainActions[random(plainActions.length)],
    )
  const transition = () => ({
    ...(random(4) > 0 ? { target: `#${paths[1 + random(paths.length - 1)]}` } : {}),
    ...(random(8) === 0 ? { reenter: true } : {}),
    ...(isWild() ? { guard: guards[random(guards.length)] } : {}),
    actions: actions(),
  })
  const node = (tree: { states?: object }, isRoot: boolean): object => {
    const children = Object.entries(tree.states ?? {})
    const states = Object.fromEntries(children.map(([key, child]) => [key, node(child, false)]))
    const own = {
      ...(random(3) === 0 ? { entry: actions() } : {}),
      ...(random(3) === 0 ? { exit: actions() } : {}),
      ...(random(3) === 0 ? { tags: ['tagged'] } : {}),
      on: Object.fromEntries(
        [...eventTypes, ...(random(3) === 0 ? ['*', 'd.*'] : [])]
          .filter(() => random(2) === 0)
          .map((type) => [type, isWild() ? [transition(), transition()] : transition()]),
      ),
      ...(isWild() && random(3) === 0 ? { always: { ...transition(), guard: guards[1 + random(2)] } } : {}),
      ...(isWild() && random(3) === 0 ? { after: { 5: transition() } } : {}),
      ...(isWild() && random(3) === 0 ? { invoke: { src: silent } } : {}),
    }
    if (children.length === 0) return !isRoot && isWild() && random(3) === 0 ? { type: 'final' } : own
    if (random(4) === 0) return { ...own, type: 'parallel', states }
    const initial = { target: 's0', actions: actions() }
    if (isWild() && random(3) === 0)
      return {
        ...own,
        initial,
        states: { ...states, past: { type: 'history', history: random(2) ? 'deep' : 'shallow' } },
      }
    return { ...own, initial, states }
  }
  return createMachine({
    id: 'm',
    context: { count: 0 },
    options: { maxIterations: 20 },
    ...node(root, true),
  })
}

const steps = fc.array(
  fc.record({
    type: fc.constantFrom(...eventTypes, 'nobody.knows'),
    yes: fc.boolean(),
  }),
  { minLength: 20, maxLength: 60 },
)

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
