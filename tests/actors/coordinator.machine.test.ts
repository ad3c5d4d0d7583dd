import { describe, expect, test } from 'bun:test'
import { initialTransition, transition } from 'xstate'
import { coordinatorMachine } from '../../src/actors/coordinator.machine.ts'
import type { CoordinatorEvent } from '../../src/actors/messages.ts'
import { linkStateOf } from '../../src/actors/states.ts'

function walk(...types: CoordinatorEvent['type'][]) {
  let [snapshot] = initialTransition(coordinatorMachine)
  const actions: string[] = []
  for (const type of types) {
    const event = { type, batches: [] } as CoordinatorEvent
    const [next, taken] = transition(coordinatorMachine, snapshot, event)
    snapshot = next
    actions.push(...taken.map((action) => action.type))
  }
  return { value: snapshot.value, link: linkStateOf(snapshot), actions }
}

describe('the chart of a coordinator', () => {
  test('the first call of all has the container probed; then what waited is posted', () => {
    expect(walk('tick.start', 'tick.probe', 'probe.base', 'post.more')).toEqual({
      value: { intake: 'idle', wire: { posting: 'waiting' }, cancelling: 'calm', link: { up: 'base' } },
      link: 'up',
      actions: ['scheduleTick', 'probe', 'post'],
    })
  })

  test('a tick posts; several posts may be on their way', () => {
    const up = ['tick.start', 'tick.probe', 'probe.extended'] as const
    expect(walk(...up, 'tick.start', 'tick.post', 'post.more', 'post.ended').value).toMatchObject({
      wire: { posting: 'waiting' },
    })
    expect(walk(...up, 'tick.start', 'tick.post', 'post.drained').value).toEqual({
      intake: 'idle',
      wire: 'quiet',
      cancelling: 'calm',
      link: { up: 'extended' },
    })
  })

  test('one attempt at a time while the container is down: calls wait', () => {
    const down = walk('tick.start', 'tick.probe', 'probe.failed', 'tick.start', 'tick.hold')
    expect(down).toMatchObject({
      link: 'down',
      actions: ['scheduleTick', 'probe', 'schedulePause', 'scheduleTick'],
    })
    expect(walk('tick.start', 'tick.probe', 'probe.failed', 'pause.over').link).toBe('probing')
    expect(walk('tick.start', 'tick.probe', 'probe.failed', 'pause.idle').link).toBe('unknown')
  })

  test('a second loss of the same link schedules no second pause', () => {
    const { actions } = walk('tick.start', 'tick.probe', 'probe.base', 'link.lost', 'link.lost')
    expect(actions.filter((action) => action === 'schedulePause')).toHaveLength(1)
  })

  test('nothing is probed while a probe is under way', () => {
    expect(
      walk('tick.start', 'tick.probe', 'tick.probe').actions.filter((each) => each === 'probe'),
    ).toHaveLength(1)
  })

  test('a tick whose calls have all left leads back', () => {
    expect(walk('tick.start', 'tick.empty').value).toMatchObject({ intake: 'idle', link: 'unknown' })
  })

  test('results stream back until the last post has its answer', () => {
    const posting = ['tick.start', 'tick.probe', 'probe.extended', 'post.more'] as const
    expect(walk(...posting, 'post.answering', 'post.more', 'post.ended').value).toMatchObject({
      wire: { posting: 'streaming' },
    })
    expect(walk(...posting, 'post.answering', 'post.drained').value).toMatchObject({ wire: 'quiet' })
  })

  test('calls that were given up are ended on the server, while posts go on', () => {
    const { value, actions } = walk('tick.start', 'cancel.post', 'tick.empty', 'cancel.post', 'cancel.ended')
    expect(value).toMatchObject({ cancelling: 'asking', intake: 'idle' })
    expect(actions).toEqual(['scheduleTick', 'postCancel', 'postCancel'])
    expect(walk('cancel.post', 'cancel.drained').value).toMatchObject({ cancelling: 'calm' })
  })

  test('a container that is doubted is looked at at once; when it gives no answer, a pause begins', () => {
    for (const kind of ['probe.base', 'probe.extended'] as const) {
      const { link, actions } = walk('tick.probe', kind, 'link.doubted')
      expect([link, actions]).toEqual(['probing', ['probe', 'probe']])
      expect(walk('tick.probe', kind, 'link.doubted', 'probe.base').value).toMatchObject({
        link: { up: 'base' },
      })
      const gone = walk('tick.probe', kind, 'link.doubted', 'probe.failed')
      expect([gone.link, gone.actions.at(-1)]).toEqual(['down', 'schedulePause'])
    }
  })

  test('a post of a time before the link was lost may be what makes it doubted', () => {
    const { link, actions } = walk('tick.probe', 'probe.base', 'link.lost', 'pause.idle', 'link.doubted')
    expect([link, actions]).toEqual(['probing', ['probe', 'schedulePause', 'probe']])
  })

  test('a container that is doubted while no call waits is looked at for the next one', () => {
    const { link, actions } = walk('tick.probe', 'probe.base', 'link.doubted.idle')
    expect([link, actions]).toEqual(['unknown', ['probe']])
  })

  test('while it is doubted nothing more is asked', () => {
    const { link, actions } = walk('tick.probe', 'probe.base', 'link.doubted', 'link.doubted', 'link.lost')
    expect([link, actions]).toEqual(['probing', ['probe', 'probe']])
  })

  test('a look at its health may show that it changed', () => {
    expect(walk('tick.probe', 'probe.base', 'probe.extended').value).toMatchObject({
      link: { up: 'extended' },
    })
    expect(walk('tick.probe', 'probe.extended', 'probe.base').value).toMatchObject({ link: { up: 'base' } })
  })
})
