/**
 * Floor 2: the chart of a container's coordinator.
 *
 * Four regions: calls come in (intake), posts go out (wire), calls that were given up are ended on the server
 * (cancelling), and the container is there or not (link). It is told that a tick began, not of each call: one to three
 * events a post. Which calls go out is decided by pure rules (batching/) and travels in the event.
 */
import { setup } from 'xstate'
import type { Chart } from './chart.ts'
import type { Call, CoordinatorEvent } from './messages.ts'

const nothing = () => {}

const coordinatorSetup = setup({
  types: { events: {} as CoordinatorEvent<Call> },
  actions: {
    /** Asks to be told when the tick is over. */
    scheduleTick: nothing,
    /** Sends the event's batches. */
    post: nothing,
    /** Asks the server to end the event's calls. */
    postCancel: nothing,
    /** Reads the container's health: one attempt for all that wait. */
    probe: nothing,
    /** Asks to be told when the pause is over. */
    schedulePause: nothing,
  },
})

type Action = 'scheduleTick' | 'post' | 'postCancel' | 'probe' | 'schedulePause'

type Value = {
  intake: 'idle' | 'collecting'
  wire: 'quiet' | { posting: 'waiting' | 'streaming' }
  cancelling: 'calm' | 'asking'
  link: 'unknown' | 'probing' | { up: 'base' | 'extended' } | 'down'
}

/** The chart of a container's coordinator. Its actions do nothing until they are provided. */
export const coordinatorMachine: Chart<CoordinatorEvent, Action, Value> = coordinatorSetup.createMachine({
  id: 'coordinator',
  context: {},
  type: 'parallel',
  states: {
    intake: {
      initial: 'idle',
      states: {
        idle: { on: { 'tick.start': { target: 'collecting', actions: 'scheduleTick' } } },
        collecting: {
          on: { 'tick.post': 'idle', 'tick.probe': 'idle', 'tick.hold': 'idle', 'tick.empty': 'idle' },
        },
      },
    },
    wire: {
      initial: 'quiet',
      states: {
        quiet: {
          on: {
            'tick.post': { target: 'posting', actions: 'post' },
            'post.more': { target: 'posting', actions: 'post' },
          },
        },
        posting: {
          on: {
            'tick.post': { actions: 'post' },
            'post.more': { actions: 'post' },
            'post.ended': {},
            'post.drained': 'quiet',
          },
          initial: 'waiting',
          states: {
            waiting: { on: { 'post.answering': 'streaming' } },
            streaming: { description: 'Results come back, each as its call ends.' },
          },
        },
      },
    },
    cancelling: {
      initial: 'calm',
      states: {
        calm: { on: { 'cancel.post': { target: 'asking', actions: 'postCancel' } } },
        asking: {
          description: 'The server ends calls that were given up.',
          on: {
            'cancel.post': { actions: 'postCancel' },
            'cancel.ended': {},
            'cancel.drained': 'calm',
          },
        },
      },
    },
    link: {
      initial: 'unknown',
      states: {
        unknown: {
          description: 'Not tried yet, or not since it was lost or doubted.',
          on: {
            'tick.probe': { target: 'probing', actions: 'probe' },
            'probe.base': 'up.base',
            'probe.extended': 'up.extended',
            'link.lost': { target: 'down', actions: 'schedulePause' },
            'link.doubted': { target: 'probing', actions: 'probe' },
          },
        },
        probing: {
          description: 'One attempt for all calls that wait.',
          on: {
            'probe.base': 'up.base',
            'probe.extended': 'up.extended',
            'probe.failed': { target: 'down', actions: 'schedulePause' },
          },
        },
        up: {
          on: {
            'link.lost': { target: 'down', actions: 'schedulePause' },
            'link.doubted': { target: 'probing', actions: 'probe' },
            'link.doubted.idle': 'unknown',
          },
          initial: 'base',
          states: {
            base: { on: { 'probe.extended': 'extended' } },
            extended: {
              description: 'It has a ledger: what was cut is asked for again, and runs once.',
              on: { 'probe.base': 'base' },
            },
          },
        },
        down: {
          description: 'A pause before the next attempt; it grows.',
          on: {
            'pause.over': { target: 'probing', actions: 'probe' },
            'pause.idle': 'unknown',
          },
        },
      },
    },
  },
})
