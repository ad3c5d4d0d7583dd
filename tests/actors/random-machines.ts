/** Machines and events that look random: what the stock actors and ours are compared by. */
import fc from 'fast-check'
import {
  type AnyStateMachine,
  assign,
  createMachine,
  emit,
  enqueueActions,
  fromCallback,
  raise,
  sendTo,
} from 'xstate'

export interface Step {
  readonly type: string
  readonly yes: boolean
}

export const eventTypes = ['a', 'b', 'c', 'd.e'] as const

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

export type Random = (below: number) => number

/** Numbers that look random and are the same for the same seed: a machine cannot be shrunk piece by piece. */
export function randomFrom(seed: number): Random {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** A machine of at most three levels; `wild` of ten of its parts are not plain. */
export function randomMachine(random: Random, wild: number): AnyStateMachine {
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

export const steps = fc.array(
  fc.record({
    type: fc.constantFrom(...eventTypes, 'nobody.knows'),
    yes: fc.boolean(),
  }),
  { minLength: 20, maxLength: 60 },
)
