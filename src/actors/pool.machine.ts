/**
 * Floor 2: the chart of a pool.
 *
 * It says what the pool may do; which slot goes to whom is data, and lives beside it. Slots and coordinators are
 * actors of their own: the pool holds references, no children.
 */
import { setup } from 'xstate'
import type { Chart } from './chart.ts'
import type { PoolEvent } from './messages.ts'

const nothing = () => {}

const poolSetup = setup({
  types: { events: {} as PoolEvent },
  actions: {
    /** Hands free slots to those who wait. */
    serve: nothing,
    /** Looks at the health of the containers that are due. */
    checkHealth: nothing,
    /** Ends all who wait for a slot. */
    refuseWaiters: nothing,
    /** Stops watching for containers and looking at their health. */
    stopWatching: nothing,
  },
})

type Action = 'serve' | 'checkHealth' | 'refuseWaiters' | 'stopWatching'
type Value = 'starting' | 'running' | 'draining' | 'stopped'

/** The chart of a pool. Its actions do nothing until they are provided. */
export const poolMachine: Chart<PoolEvent, Action, Value> = poolSetup.createMachine({
  id: 'pool',
  context: {},
  initial: 'starting',
  states: {
    starting: {
      description: 'The first list of containers, and their first answers, are awaited.',
      on: {
        ready: { target: 'running', actions: 'serve' },
        told: {},
        stop: { target: 'draining', actions: ['refuseWaiters', 'stopWatching'] },
      },
    },
    running: {
      on: {
        'slots.freed': { actions: 'serve' },
        'health.due': { actions: 'checkHealth' },
        told: {},
        stop: { target: 'draining', actions: ['refuseWaiters', 'stopWatching'] },
      },
    },
    draining: {
      description: 'No new leases; those that are held have their time.',
      on: { drained: 'stopped', told: {} },
    },
    stopped: {},
  },
})
