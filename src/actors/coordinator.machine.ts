/**
 * Floor 2: the chart of a container's coordinator.
 *
 * Three regions: calls come in (intake), posts go out (wire), and the container is there or not (link). It is told
 * that a tick began, not of each call: one to three events a post. Which calls go out is decided by pure rules
 * (batching/) and travels in the event.
 */
import { setup } from 'xstate'
import type { Call, CoordinatorEvent } from './messages.ts'

const nothing = () => {}

const coordinatorSetup = setup({
  types: { events: {} as CoordinatorEvent<Call> },
  actions: {
    /** Asks to be told when the tick is over. */
    scheduleTick: nothing,
    /** Sends the event's batches. */
    post: nothing,
    /** Reads the container's health: one attempt for all that wait. */
    probe: nothing,
    /** Asks to be told when the pause is over. */
    schedulePause: nothing,
  },
})

/** The chart of a container's coordinator. Its actions do nothing until they are provided. */
export const coordinatorMachine = coordinatorSetup.createMachine({
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
            'probe.answered': { target: 'posting', actions: 'post' },
          },
        },
        posting: {
          on: {
            'tick.post': { actions: 'post' },
            'post.more': { actions: 'post' },
            'probe.answered': { actions: 'post' },
            'post.ended': {},
            'post.drained': 'quiet',
          },
        },
      },
    },
    link: {
      initial: 'unknown',
      states: {
        unknown: {
          description: 'Not tried yet, or not since it was lost.',
          on: {
            'tick.probe': { target: 'probing', actions: 'probe' },
            'probe.idle': 'up',
            'link.lost': { target: 'down', actions: 'schedulePause' },
          },
        },
        probing: {
          description: 'One attempt for all calls that wait.',
          on: {
            'probe.answered': 'up',
            'probe.idle': 'up',
            'probe.failed': { target: 'down', actions: 'schedulePause' },
          },
        },
        up: { on: { 'link.lost': { target: 'down', actions: 'schedulePause' } } },
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
