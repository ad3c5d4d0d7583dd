import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import {
  type ActorOptions,
  type AnyStateMachine,
  createActor,
  createMachine,
  type InspectionEvent,
  SimulatedClock,
} from 'xstate'
import { coordinatorMachine } from '../../src/actors/coordinator.machine.ts'
import { createLearnedActor } from '../../src/actors/learned-actor.ts'
import { withLearnedEdges } from '../../src/actors/learned-edges.ts'
import { slotMachine } from '../../src/actors/slot.machine.ts'
import { eventTypes, randomFrom, randomMachine, type Step, steps } from './random-machines.ts'
import { told } from './told.ts'

type Options = Pick<ActorOptions<AnyStateMachine>, 'id' | 'clock' | 'inspect'>
type Make = (machine: AnyStateMachine, options: Options) => Subject
type Subject = Pick<
  ReturnType<typeof createActor<AnyStateMachine>>,
  'start' | 'stop' | 'send' | 'on' | 'subscribe' | 'system' | 'getSnapshot' | 'getPersistedSnapshot'
>

/** What can be seen of actors, one after the other: what one has learned serves all. */
function histories(
  machine: AnyStateMachine,
  sent: readonly Step[],
  make: Make,
  isInspected: boolean,
): unknown[][] {
  let seen: unknown[] = []
  let answer = () => {}
  const logged =
    (name: string) =>
    ({ event, context, self }: { event: object; context: object; self: { id: string } }, params: unknown) => {
      seen.push(['ran', name, self.id, event, context, params])
      // What an action sends comes after the step that runs it.
      if (name === 'two') answer()
    }
  const wired = machine.provide({ actions: { one: logged('one'), two: logged('two') } })
  const shared = make === learned ? withLearnedEdges(wired) : wired
  return ['alone', 'alone too', 'watched for a while'].map((id) => {
    seen = []
    const clock = new SimulatedClock()
    const inspect = (event: InspectionEvent) => void seen.push(['told', told(event)])
    const actor = make(shared, isInspected ? { id, clock, inspect } : { id, clock })
    actor.on('*', (event: object) => seen.push(['emitted', event]))
    actor.start()
    let subscription: { unsubscribe(): void } | undefined
    for (const [at, event] of sent.entries()) {
      if (id === 'watched for a while' && at === 5)
        subscription = actor.subscribe({ next: (each) => seen.push(['next', each.value]), error: () => {} })
      if (at === 15) subscription?.unsubscribe()
      if (at === 25 && isInspected)
        actor.system.inspect(({ type }) => seen.push(['a second inspector', type]))
      answer = () => {
        answer = () => {}
        actor.send({ type: 'c', yes: false })
      }
      actor.send(event)
      if (at % 16 === 8) clock.increment(5)
      if (actor.getSnapshot().status === 'error') break
      const { value, status, context, tags } = actor.getSnapshot()
      seen.push([value, status, context, [...tags], JSON.stringify(actor.getPersistedSnapshot())])
      seen.push(eventTypes.map((type) => actor.getSnapshot().can({ type, yes: true })))
    }
    actor.stop()
    seen.push(actor.getSnapshot().status)
    return seen
  })
}

const stock: Make = (machine, options) => createActor(machine, options)
const forgiving: Make = (machine, options) => {
  const actor = createActor(machine, options)
  actor.subscribe({ error: () => {} })
  return actor
}
const learned: Make = (machine, options) => createLearnedActor(machine, options)

describe.each([
  ['an actor that nobody inspects', false, 150],
  ['an actor that is inspected', true, 50],
])('%s', (_, isInspected, numRuns) => {
  for (const wild of [0, 1, 4]) {
    test(`does what XState's does, whatever its machine is (${wild} of 10 parts not plain)`, () => {
      fc.assert(
        fc.property(fc.nat(), steps, (seed, sent) => {
          const machine = randomMachine(randomFrom(seed), wild)
          const live = (make: Make) => histories(machine, sent, make, isInspected)
          // An infinite loop is an error, and one that nobody takes ends the process.
          fc.pre(live(forgiving).every((seen) => seen.at(-1) !== 'error'))
          expect(live(learned)).toEqual(live(stock))
        }),
        { numRuns },
      )
    })
  }

  for (const machine of [slotMachine, coordinatorMachine]) {
    test(`is the same ${machine.id}`, () => {
      const types = fc.constantFrom(...machine.events)
      fc.assert(
        fc.property(fc.array(types, { minLength: 50, maxLength: 200 }), (sent) => {
          const events = sent.map((type) => ({ type, yes: true }))
          const live = (make: Make) => histories(machine, events, make, isInspected)
          expect(live(learned)).toEqual(live(stock))
        }),
        { numRuns: isInspected ? 20 : 50 },
      )
    })
  }
})

describe('an actor of learned edges', () => {
  test('fails as XState’s does when an action of a learned edge throws', () => {
    const machine = createMachine({
      context: {},
      on: {
        a: {
          actions: ({ event }) => {
            if (event.isLast === true) throw new Error('broken')
          },
        },
      },
    })
    const failures = [createActor(machine), createLearnedActor(withLearnedEdges(machine), {})].map(
      (actor) => {
        actor.start()
        for (const isLast of [false, false]) actor.send({ type: 'a', isLast })
        let failure: unknown
        const subscription = actor.subscribe({ error: (error) => (failure = error) })
        actor.send({ type: 'a', isLast: true })
        actor.send({ type: 'a', isLast: false })
        subscription.unsubscribe()
        return [failure, actor.getSnapshot().status, actor.getSnapshot().error]
      },
    )
    expect(failures[1]).toEqual(failures[0])
    expect(failures[1]?.[1]).toBe('error')
  })

  test('refuses an inspector who comes late, as it would tell him nothing', () => {
    const { system } = createLearnedActor(withLearnedEdges(slotMachine), {})
    expect(() => system.inspect(() => {})).toThrow('Cannot attach an inspector')
  })

  test('is kept alive by nobody but its owner, though it was never stopped', async () => {
    const machine = withLearnedEdges(slotMachine)
    const held = Array.from({ length: 1_000 }, () => new WeakRef(createLearnedActor(machine, {}).start()))
    // What a WeakRef has shown is kept until the task ends.
    await Bun.sleep(0)
    Bun.gc(true)
    // The collector takes what looks like a reference on the stack for one.
    expect(held.filter((each) => each.deref() !== undefined).length).toBeLessThan(100)
  })

  test('tells an inspector who is there from the start', () => {
    const types: string[] = []
    const machine = withLearnedEdges(slotMachine)
    const actor = createLearnedActor(machine, { inspect: ({ type }) => types.push(type) }).start()
    for (let time = 0; time < 3; time += 1) {
      types.length = 0
      actor.send({
        type: 'fault',
        refused: [],
        failure: { kind: 'failed', outcome: 'not-run', code: 'closed', message: '' },
      })
    }
    expect(types).toEqual(['@xstate.event', '@xstate.microstep', '@xstate.snapshot'])
  })
})
