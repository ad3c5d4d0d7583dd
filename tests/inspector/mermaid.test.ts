import { describe, expect, test } from 'bun:test'
import { createMachine } from 'xstate'
import { coordinatorMachine, slotMachine } from '../../src/actors/mod.ts'
import { chartOf, statesWithin } from '../../src/inspector/chart-model.ts'
import { mermaidOf } from '../../src/inspector/mermaid.ts'

const drawn = (config: Parameters<typeof createMachine>[0]) => mermaidOf(chartOf(createMachine(config)))

describe('a chart in Mermaid', () => {
  test('has initial and final states, edges with guard and actions, and notes', () => {
    const text = drawn({
      id: 'light',
      initial: 'green',
      states: {
        green: {
          description: 'Go.',
          on: { next: { target: 'red', guard: 'isLate', actions: ['log', 'beep'] } },
        },
        red: { entry: 'stop', on: { wait: { actions: 'count' }, end: 'off' } },
        off: { type: 'final' },
      },
    })
    expect(text).toBe(`stateDiagram-v2
  [*] --> green
  state "green" as green
  note right of green
    Go.
  end note
  state "red" as red
  red : entry / stop
  red : wait / count
  state "off" as off
  off --> [*]
  green --> red : next [isLate] / log, beep
  red --> off : end
`)
  })

  test('has nested states, and edges over their borders outside of them', () => {
    const text = drawn({
      id: 'm',
      initial: 'on',
      states: {
        on: {
          initial: 'a',
          description: 'Busy.',
          on: { pause: { actions: 'wait' }, stop: 'off', back: '.a' },
          states: { a: { on: { next: 'b' } }, b: { on: { stop: '#m.off', again: '#m.on' } } },
        },
        off: {},
      },
    })
    expect(text).toBe(`stateDiagram-v2
  [*] --> on
  state "on" as on {
    [*] --> on_a
    state "a" as on_a
    state "b" as on_b
    on_a --> on_b : next
    on_b --> on_a : again
  }
  note right of on
    Busy.
    pause / wait
    back → a
  end note
  state "off" as off
  on --> off : stop
  on_b --> off : stop
`)
  })

  test('has parallel regions, and a frame for a machine that has them', () => {
    const text = drawn({
      id: 'both',
      type: 'parallel',
      states: { left: { initial: 'x', states: { x: { on: { out: '#both' } } } }, right: {} },
    })
    expect(text).toBe(`stateDiagram-v2
  state "both" as both {
    state "left" as left {
      [*] --> left_x
      state "x" as left_x
      left_x : out → both
    }
    --
    state "right" as right
  }
`)
  })

  test('has names that Mermaid takes, each once, and text in which it sees no syntax', () => {
    const text = drawn({
      id: 'm',
      initial: 'end',
      states: {
        end: { on: { 'a:b;c#d': 'two words' } },
        'two words': { on: { next: 'two-words' }, description: 'A "quote"; more, <b> end note #1' },
        'two-words': {},
        '1st': { type: 'history' },
      },
    })
    expect(text).toContain('state "end" as end_2\n')
    expect(text).toContain('end_2 --> two_words : a#58;b#59;c#35;d\n')
    expect(text).toContain('two_words --> two_words_2 : next\n')
    expect(text).toContain('    A "quote"; more, #60;b#62; end#32;note #35;1\n')
    expect(text).toContain('state "H" as _1st\n')
  })

  test.each([slotMachine, coordinatorMachine])('has every state and every way of $id', (machine) => {
    const chart = chartOf(machine)
    const text = mermaidOf(chart)
    const states = statesWithin(chart.root).length - (machine.root.type === 'parallel' ? 0 : 1)
    expect(text.match(/^ *state "/gm)).toHaveLength(states)
    for (const { event, actions } of chart.transitions) {
      expect(text).toContain(actions.length > 0 ? `${event} / ${actions.join(', ')}\n` : `${event}\n`)
    }
    expect(text.match(/ --> /g)?.length).toBe(
      chart.transitions.filter(({ targets }) => targets.length > 0).length +
        statesWithin(chart.root).filter(({ initial }) => initial !== undefined).length,
    )
    expect(text.match(/\{$/gm)?.length).toBe(text.match(/^ *\}$/gm)?.length)
  })
})
