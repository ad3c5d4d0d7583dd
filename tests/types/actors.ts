/** Types: the charts, for people who compose their own systems. Nothing here runs: tsc judges it. */
import {
  type Call,
  coordinatorMachine,
  linkStateOf,
  poolMachine,
  slotMachine,
  slotStateOf,
  withLearnedEdges,
} from 'sandbox-slots/actors'
import { createActor } from 'xstate'
import { holds, type Same } from './same.ts'

export function slot(call: Call): void {
  const wired = slotMachine.provide({ actions: { start: ({ event }) => event.type.length } })
  const actor = createActor(withLearnedEdges(wired)).start()
  actor.send({ type: 'acquire', trajectoryId: 'a' })
  actor.send({ type: 'execute', call })
  const snapshot = actor.getSnapshot()
  snapshot.matches({ acquired: 'executing' })
  slotStateOf(snapshot)

  // @ts-expect-error There is no such event.
  actor.send({ type: 'start' })
  // @ts-expect-error An event has its data.
  actor.send({ type: 'execute' })
  // @ts-expect-error There is no such state.
  snapshot.matches({ acquired: 'waiting' })
  // @ts-expect-error Nor such an action.
  slotMachine.provide({ actions: { begin: () => {} } })
  // @ts-expect-error A slot's snapshot shows no link.
  linkStateOf(snapshot)
}

export function others(): void {
  const coordinator = createActor(coordinatorMachine)
  coordinator.send({ type: 'tick.start' })
  coordinator.getSnapshot().matches({ link: { up: 'extended' } })
  linkStateOf(coordinator.getSnapshot())
  const pool = createActor(poolMachine)
  pool.send({ type: 'ready' })
  holds<Same<ReturnType<typeof pool.getSnapshot>['value'], 'starting' | 'running' | 'draining' | 'stopped'>>()
  // @ts-expect-error It carries its batches.
  coordinator.send({ type: 'tick.post' })
  // @ts-expect-error There is no such state.
  coordinator.getSnapshot().matches({ link: 'lost' })
  // @ts-expect-error There is no such event.
  pool.send({ type: 'start' })
}
