/** What is recorded of a job, and that it stays within its bounds. */
import { describe, expect, test } from 'bun:test'
import { createActor, createMachine } from 'xstate'
import type { StepRecord } from '../../src/inspector/records.ts'
import { the } from '../support/the.ts'
import { answerOf, executorWith, presentOf, recorderWith, runSmallJob } from './support.ts'

function steps(recorder: ReturnType<typeof recorderWith>): StepRecord[] {
  return recorder.history.slice().flatMap((record) => (record.kind === 'step' ? [record] : []))
}

describe('a recorded job', () => {
  test.each([
    ['cancelled', { cancelled: true }],
    ['timed-out', { timeout: true }],
    ['exited', {}],
  ])('a call that its server says is %s is counted so', async (outcome, metadata) => {
    const recorder = recorderWith()
    await using executor = executorWith(recorder.inspect, async (call) => ({
      ...(await answerOf(call)),
      success: false,
      metadata,
    }))
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    expect(await slot?.bash('true')).toMatchObject({ outcome })
    expect(presentOf(recorder.history).totals.outcomes).toEqual({ [outcome]: 1 })
  })

  test('totals count each call once, by outcome; resets apart', async () => {
    const recorder = recorderWith()
    await using executor = executorWith(recorder.inspect)
    await runSmallJob(executor)
    const { totals } = presentOf(recorder.history)
    expect(totals).toMatchObject({ outcomes: { exited: 8 }, succeeded: 6, resets: 2, postedCalls: 8 })
  })

  test('actors are named, and end where they are', async () => {
    const recorder = recorderWith()
    await using executor = executorWith(recorder.inspect)
    await runSmallJob(executor)
    const { actors, counts } = presentOf(recorder.history)
    expect(actors.map(({ id, chart, state }) => [id, chart, state])).toEqual([
      ['http://127.0.0.1:4000', 'coordinator', 'intake.idle wire.quiet cancelling.calm link.up.base'],
      ['http://127.0.0.1:4000/slot_0', 'slot', 'idle'],
      ['http://127.0.0.1:4000/slot_1', 'slot', 'idle'],
    ])
    expect(counts.get('slot')?.get('idle')).toBe(2)
  })

  test('steps tell the edges and actions of the chart, in the order of cause and effect', async () => {
    const recorder = recorderWith()
    await using executor = executorWith(recorder.inspect)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    await slot.bash('echo hi')
    expect(steps(recorder).map(({ event, edges, actions, state }) => [event, edges, actions, state])).toEqual(
      [
        ['execute', ['slot.idle execute'], ['start'], 'borrowed.executing'],
        [
          'tick.start',
          ['coordinator.intake.idle tick.start'],
          ['scheduleTick'],
          'intake.collecting wire.quiet cancelling.calm link.unknown',
        ],
        [
          'tick.probe',
          ['coordinator.intake.collecting tick.probe', 'coordinator.link.unknown tick.probe'],
          ['probe'],
          'intake.idle wire.quiet cancelling.calm link.probing',
        ],
        [
          'probe.base',
          ['coordinator.link.probing probe.base'],
          [],
          'intake.idle wire.quiet cancelling.calm link.up.base',
        ],
        [
          'post.more',
          ['coordinator.wire.quiet post.more'],
          ['post'],
          'intake.idle wire.posting.waiting cancelling.calm link.up.base',
        ],
        ['settled', ['slot.borrowed.executing settled'], ['settle'], 'idle'],
        [
          'post.drained',
          ['coordinator.wire.posting post.drained'],
          [],
          'intake.idle wire.quiet cancelling.calm link.up.base',
        ],
      ],
    )
  })

  test('a step carries its call, how it ended, who waits and what is posted', async () => {
    const recorder = recorderWith()
    await using executor = executorWith(recorder.inspect)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    await executor.execute(slot, 'bash', { command: 'exit 3' }, { executionId: 'call-1' })
    const all = steps(recorder)
    expect(all.find(({ event }) => event === 'execute')?.call).toMatchObject({
      executionId: 'call-1',
      route: '/execute',
      timeoutMs: 30_000,
    })
    expect(all.find(({ posts }) => posts !== undefined)?.posts).toEqual([['call-1']])
    expect(all.find(({ event }) => event === 'settled')?.ended).toEqual({
      executionId: 'call-1',
      outcome: 'exited',
      success: false,
      output: 'ran exit 3',
      error: 'Command failed with exit code 3',
      exitCode: 3,
      toolMs: 4,
    })
  })

  test('while a call runs, the present shows it, its trajectory and the queue', async () => {
    const recorder = recorderWith()
    const { promise, resolve } = Promise.withResolvers<object>()
    await using executor = executorWith(recorder.inspect, () => promise)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    slot.acquire('HumanEval/7')
    const calls = [slot.bash('sleep 1'), slot.bash('echo 2'), slot.bash('echo 3')]
    const actor = the(presentOf(recorder.history).actors[1])
    expect(actor).toMatchObject({ state: 'acquired.executing', trajectoryId: 'HumanEval/7' })
    expect(actor.call?.body).toContain('sleep 1')
    expect(actor.waiting.map(({ body }) => /echo \d/.exec(body)?.[0])).toEqual(['echo 2', 'echo 3'])
    resolve({ success: true, output: '', error: '', execution_id: null, metadata: {} })
    await Promise.all(calls)
    expect(presentOf(recorder.history).actors[1]).toMatchObject({ call: null, waiting: [], calls: 3 })
  })

  test('a cancelled call counts once, though the server answers later', async () => {
    const recorder = recorderWith()
    const { promise, resolve } = Promise.withResolvers<object>()
    await using executor = executorWith(recorder.inspect, () => promise)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    const controller = new AbortController()
    const call = slot.bash('sleep 9', { signal: controller.signal })
    await Bun.sleep(20)
    controller.abort()
    expect(await call).toMatchObject({ outcome: 'cancelled' })
    expect(presentOf(recorder.history).actors[1]).toMatchObject({
      state: 'borrowed.cancelling',
      call: { told: true },
    })
    resolve({ success: true, output: '', error: '', execution_id: null, metadata: {} })
    await Bun.sleep(20)
    const { totals, actors } = presentOf(recorder.history)
    expect(totals.outcomes).toEqual({ cancelled: 1 })
    expect(actors[1]).toMatchObject({ state: 'idle', call: null })
  })

  test('calls refused by a faulted slot, and those that waited in it, end not-run', async () => {
    const recorder = recorderWith()
    const { promise, resolve } = Promise.withResolvers<object>()
    await using executor = executorWith(recorder.inspect, () => promise)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    const calls = [slot.bash('sleep 1'), slot.bash('echo 2')]
    await Bun.sleep(10)
    slot.markFaulted('the disk is full')
    calls.push(slot.bash('echo 3'))
    resolve({ success: true, output: '', error: '', execution_id: null, metadata: {} })
    await Promise.all(calls)
    const { totals } = presentOf(recorder.history)
    expect(totals.outcomes).toEqual({ 'not-run': 2, exited: 1 })
  })

  test('a call that is given up while it waits is counted when its slot goes on', async () => {
    const recorder = recorderWith()
    await using executor = executorWith(recorder.inspect)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    const controller = new AbortController()
    const calls = [
      slot.bash('echo 1'),
      slot.bash('echo 2', { signal: controller.signal }),
      slot.bash('echo 3'),
    ]
    controller.abort()
    await Promise.all(calls)
    const { totals, actors } = presentOf(recorder.history)
    expect(totals.outcomes).toEqual({ exited: 2, 'not-run': 1 })
    expect(actors[1]?.waiting).toEqual([])
  })

  test('an event that the chart has no way for is recorded as ignored', () => {
    const recorder = recorderWith()
    const machine = createMachine({
      id: 'lamp',
      initial: 'off',
      states: { off: { on: { on: 'on' } }, on: {} },
    })
    const actor = createActor(machine, { id: 'lamp 1', inspect: recorder.inspect }).start()
    actor.send({ type: 'on' })
    actor.send({ type: 'on' })
    expect(steps(recorder).map(({ event, edges, state }) => [event, edges, state])).toEqual([
      ['on', ['lamp.off on'], 'on'],
      ['on', [], 'on'],
    ])
    actor.stop()
    expect(steps(recorder).at(-1)).toMatchObject({ event: 'xstate.stop', stopped: true })
  })
})

describe('bounds', () => {
  test('what falls out of the ring stays in the totals', async () => {
    const recorder = recorderWith({ maxRecords: 1_000, maxBytes: 10_000_000 })
    await using executor = executorWith(recorder.inspect)
    for (let round = 0; round < 60; round += 1) await runSmallJob(executor)
    const { history } = recorder
    expect(history.end - history.start).toBe(1_000)
    const { totals, actors } = presentOf(history)
    expect(totals).toMatchObject({ outcomes: { exited: 480 }, succeeded: 360, resets: 120 })
    expect(totals.steps).toBe(history.end - actors.length)
  })

  test('bytes are bounded, and long texts cut: 60 outputs of 1 MB', async () => {
    const recorder = recorderWith({ maxRecords: 10_000, maxBytes: 100_000 })
    const output = 'x'.repeat(1_000_000)
    const answer = () => ({ success: true, output, error: '', execution_id: null, metadata: {} })
    await using executor = executorWith(recorder.inspect, answer)
    const [slot] = executor.slots('http://127.0.0.1:4000', 1)
    for (let round = 0; round < 60; round += 1) await slot.bash('cat large')
    expect(recorder.history.bytes).toBeLessThanOrEqual(100_000)
    const kept = JSON.stringify(recorder.history.slice())
    expect(kept.length).toBeLessThan(300_000)
    expect(presentOf(recorder.history).totals.outcomes).toEqual({ exited: 60 })
  })

  test('20,000 synthetic events leave no more in the ring than 1,000', () => {
    const recorder = recorderWith({ maxRecords: 1_000, maxBytes: 10_000_000 })
    const machine = createMachine({
      id: 'lamp',
      initial: 'off',
      states: { off: { on: { flip: 'on' } }, on: { on: { flip: 'off' } } },
    })
    const actor = createActor(machine, { inspect: recorder.inspect }).start()
    for (let count = 0; count < 20_000; count += 1) actor.send({ type: 'flip' })
    expect(recorder.history.slice().length).toBe(1_000)
    expect(presentOf(recorder.history).totals.steps).toBe(20_000)
    expect(presentOf(recorder.history).edges.get('lamp.off flip')).toBe(10_000)
  })
})
