/**
 * Floor 2: the chart of a slot.
 *
 * One call is in flight at most; later ones wait behind it, in order. The hot edges (execute, settled, settled.next)
 * carry named actions and nothing else, and the context is static, so that they can be learned once and replayed.
 * What must be chosen is chosen by the sender, as a different event.
 */
import { setup } from 'xstate'
import type { Chart } from './chart.ts'
import type { Call, SlotEvent } from './messages.ts'

const nothing = () => {}

const slotSetup = setup({
  types: { events: {} as SlotEvent<Call> },
  actions: {
    /** Hands the event's call to the container's coordinator. */
    start: nothing,
    /** Hands the event's next call to the container's coordinator. */
    startNext: nothing,
    /** Puts the event's call behind those that wait. */
    wait: nothing,
    /** Tells the call's owner how it ended. */
    settle: nothing,
    /** Asks the server to end the event's call. */
    requestCancel: nothing,
    /** Ends the event's call: the slot is faulted. */
    refuse: nothing,
    /** Ends the calls that the event refuses: the slot is faulted, or its lease is over. */
    refuseWaiting: nothing,
  },
})

/** While something runs, all that comes waits. */
const waitBehind = {
  execute: { actions: 'wait' },
  reset: { actions: 'wait' },
} as const

const faultWhileRunning = { target: '#slot.faulted.draining', actions: 'refuseWaiting' } as const
const resetFailed = { target: '#slot.faulted', actions: ['settle', 'refuseWaiting'] } as const

type Action = 'start' | 'startNext' | 'wait' | 'settle' | 'requestCancel' | 'refuse' | 'refuseWaiting'

type Value =
  | 'idle'
  | { borrowed: 'executing' | 'cancelling' | 'resetting' }
  | { acquired: 'ready' | 'executing' | 'cancelling' | 'resetting' }
  | { releasing: 'draining' | 'resetting' }
  | { faulted: 'quarantined' | 'draining' | 'resetting' }

/** The chart of a slot. Its actions do nothing until they are provided. */
export const slotMachine: Chart<SlotEvent, Action, Value> = slotSetup.createMachine({
  id: 'slot',
  context: {},
  initial: 'idle',
  states: {
    idle: {
      tags: 'idle',
      description: 'Nobody holds the slot.',
      on: {
        acquire: 'acquired',
        execute: { target: 'borrowed.executing', actions: 'start' },
        reset: { target: 'borrowed.resetting', actions: 'start' },
        fault: 'faulted',
      },
    },
    borrowed: {
      description: 'Leased for as long as calls come without a pause; then idle again.',
      initial: 'executing',
      on: { fault: faultWhileRunning },
      states: {
        executing: {
          tags: 'executing',
          on: {
            ...waitBehind,
            settled: { target: '#slot.idle', actions: 'settle' },
            'settled.next': { actions: ['settle', 'startNext'] },
            'settled.reset': { target: 'resetting', actions: ['settle', 'startNext'] },
            cancel: { target: 'cancelling', actions: 'settle' },
            'cancel.ask': { target: 'cancelling', actions: 'requestCancel' },
          },
        },
        cancelling: {
          tags: 'cancelling',
          description: 'The caller gave up; the server has not answered yet.',
          on: {
            ...waitBehind,
            settled: { target: '#slot.idle', actions: 'settle' },
            'settled.next': { target: 'executing', actions: ['settle', 'startNext'] },
            'settled.reset': { target: 'resetting', actions: ['settle', 'startNext'] },
          },
        },
        resetting: {
          tags: 'resetting',
          on: {
            ...waitBehind,
            settled: { target: '#slot.idle', actions: 'settle' },
            'settled.next': { target: 'executing', actions: ['settle', 'startNext'] },
            'settled.reset': { actions: ['settle', 'startNext'] },
            'reset.failed': resetFailed,
            cancel: { actions: 'settle' },
          },
        },
      },
    },
    acquired: {
      description: 'Leased until it is released.',
      initial: 'ready',
      states: {
        ready: {
          tags: 'acquired',
          on: {
            execute: { target: 'executing', actions: 'start' },
            reset: { target: 'resetting', actions: 'start' },
            release: '#slot.idle',
            'release.reset': { target: '#slot.releasing.resetting', actions: 'start' },
            fault: '#slot.faulted',
          },
        },
        executing: {
          tags: 'executing',
          on: {
            ...waitBehind,
            settled: { target: 'ready', actions: 'settle' },
            'settled.next': { actions: ['settle', 'startNext'] },
            'settled.reset': { target: 'resetting', actions: ['settle', 'startNext'] },
            cancel: { target: 'cancelling', actions: 'settle' },
            'cancel.ask': { target: 'cancelling', actions: 'requestCancel' },
            release: { target: '#slot.releasing.draining', actions: 'refuseWaiting' },
            'release.reset': { target: '#slot.releasing.draining', actions: ['refuseWaiting', 'wait'] },
            fault: faultWhileRunning,
          },
        },
        cancelling: {
          tags: 'cancelling',
          description: 'The caller gave up; the server has not answered yet.',
          on: {
            ...waitBehind,
            settled: { target: 'ready', actions: 'settle' },
            'settled.next': { target: 'executing', actions: ['settle', 'startNext'] },
            'settled.reset': { target: 'resetting', actions: ['settle', 'startNext'] },
            release: { target: '#slot.releasing.draining', actions: 'refuseWaiting' },
            'release.reset': { target: '#slot.releasing.draining', actions: ['refuseWaiting', 'wait'] },
            fault: faultWhileRunning,
          },
        },
        resetting: {
          tags: 'resetting',
          on: {
            ...waitBehind,
            settled: { target: 'ready', actions: 'settle' },
            'settled.next': { target: 'executing', actions: ['settle', 'startNext'] },
            'settled.reset': { actions: ['settle', 'startNext'] },
            'reset.failed': resetFailed,
            cancel: { actions: 'settle' },
            release: { target: '#slot.releasing.resetting', actions: 'refuseWaiting' },
            'release.reset': { target: '#slot.releasing.draining', actions: ['refuseWaiting', 'wait'] },
            fault: faultWhileRunning,
          },
        },
      },
    },
    releasing: {
      tags: 'releasing',
      description: 'The lease is over; the slot is made ready for the next owner.',
      initial: 'draining',
      on: {
        ...waitBehind,
        settled: { target: 'idle', actions: 'settle' },
        'settled.next': { target: 'borrowed.executing', actions: ['settle', 'startNext'] },
        'reset.failed': resetFailed,
        cancel: { actions: 'settle' },
        'cancel.ask': { actions: 'requestCancel' },
        fault: faultWhileRunning,
      },
      states: {
        draining: {
          description: 'The last call of the lease still runs.',
          on: { 'settled.reset': { target: 'resetting', actions: ['settle', 'startNext'] } },
        },
        resetting: {
          on: { 'settled.reset': { target: '#slot.borrowed.resetting', actions: ['settle', 'startNext'] } },
        },
      },
    },
    faulted: {
      description: 'Quarantined until a reset succeeds; its calls end not-run. The lease is over.',
      initial: 'quarantined',
      states: {
        quarantined: {
          tags: 'faulted',
          on: {
            execute: { actions: 'refuse' },
            reset: { target: 'resetting', actions: 'start' },
          },
        },
        draining: {
          tags: 'faulted',
          description: 'The fault came while a call ran; it still ends as it ends.',
          on: {
            execute: { actions: 'refuse' },
            reset: { actions: 'wait' },
            settled: { target: 'quarantined', actions: 'settle' },
            'settled.reset': { target: 'resetting', actions: ['settle', 'startNext'] },
            'reset.failed': resetFailed,
            cancel: { actions: 'settle' },
            'cancel.ask': { actions: 'requestCancel' },
          },
        },
        resetting: {
          tags: 'resetting',
          on: {
            ...waitBehind,
            settled: { target: '#slot.idle', actions: 'settle' },
            'settled.next': { target: '#slot.borrowed.executing', actions: ['settle', 'startNext'] },
            'settled.reset': { actions: ['settle', 'startNext'] },
            'reset.failed': resetFailed,
            cancel: { actions: 'settle' },
            fault: faultWhileRunning,
          },
        },
      },
    },
  },
})
