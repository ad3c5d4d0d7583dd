/** Calls that are given up while an extended server knows them. */
import { describe, expect, test } from 'bun:test'
import { extendedHealth, streamTo } from '../support/answer-stream.ts'
import { type Scripted, scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

function extended(health: object = {}): Scripted {
  const script = scripted()
  script.health = () => extendedHealth(health)
  return script
}

/** Lets simulated time pass in steps, with whatever it sets off. */
async function pass(script: Scripted, ms: number): Promise<void> {
  for (let elapsed = 0; elapsed < ms; elapsed += 250) {
    script.clock.increment(250)
    await settled()
  }
}

/** A posted call, given up. */
async function givenUp(script: Scripted) {
  const controller = new AbortController()
  const slot = script.executor.slots('one:1', 1)[0]
  const running = slot.bash('x', { signal: controller.signal })
  await settled()
  script.giveUp(controller)
  await settled()
  const id = the(script.posts[0]?.calls[0]).execution_id
  return { slot, running, id }
}

const killed = { success: false, error: 'Cancelled', output: 'so far', metadata: { cancelled: true } }

describe('abort after the post', () => {
  test('is cancelled when the server has ended it, with the output so far', async () => {
    await using script = extended()
    const { slot, running, id } = await givenUp(script)
    expect([slot.state, script.cancels.map(({ ids }) => ids)]).toEqual(['cancelling', [[id]]])
    script.cancels[0]?.answer({ cancelled: [id] })
    await settled()
    expect(slot.state).toBe('cancelling')
    streamTo(script.posts[0]).result(script.posts[0]?.calls[0], killed)
    expect(await running).toMatchObject({
      outcome: 'cancelled',
      output: 'so far',
      failure: { code: 'aborted', message: 'Cancelled', attempts: 1 },
    })
    await settled()
    expect(slot.state).toBe('idle')
  })

  test('a thousand calls given up in one tick are one POST', async () => {
    await using script = extended()
    const controller = new AbortController()
    const slots = script.executor.slots('one:1', 1_000)
    const running = slots.map((slot) => slot.bash('x', { signal: controller.signal }))
    await settled()
    expect(script.posts.map(({ calls }) => calls.length)).toEqual([256, 256, 256, 232])
    script.giveUp(controller)
    await settled()
    expect(script.cancels.map(({ ids }) => ids.length)).toEqual([1_000])
    script.cancels[0]?.answer({ cancelled: script.cancels[0].ids })
    for (const post of script.posts) {
      const stream = streamTo(post)
      for (const call of post.calls) stream.result(call, killed)
      stream.done(post.calls.length)
    }
    expect(new Set((await Promise.all(running)).map(({ outcome }) => outcome))).toEqual(
      new Set(['cancelled']),
    )
  })

  test('one that had ended has its result', async () => {
    await using script = extended()
    const { running, id } = await givenUp(script)
    script.cancels[0]?.answer({ finished: [id] })
    streamTo(script.posts[0]).result(script.posts[0]?.calls[0])
    expect(await running).toMatchObject({ outcome: 'exited', output: id })
  })

  test('without an answer it is unknown after 2 s, and the slot goes on', async () => {
    await using script = extended()
    const { slot, running } = await givenUp(script)
    await pass(script, 1_750)
    expect(slot.state).toBe('cancelling')
    await pass(script, 500)
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'aborted' } })
    expect(slot.state).toBe('idle')
    script.automatic()
    expect((await slot.bash('y')).outcome).toBe('exited')
  })

  test('confirmed, but without its line, it is cancelled after 2 s', async () => {
    await using script = extended()
    const { running, id } = await givenUp(script)
    script.cancels[0]?.answer({ cancelled: [id] })
    await settled()
    await pass(script, 2_250)
    expect(await running).toMatchObject({ outcome: 'cancelled', output: '', failure: { code: 'aborted' } })
  })

  test('a cancellation that brings no answer is asked for again', async () => {
    await using script = extended()
    const { running, id } = await givenUp(script)
    script.cancels[0]?.fail(new Error('reset'))
    await settled()
    await pass(script, 250)
    expect(script.cancels.map(({ ids }) => ids)).toEqual([[id], [id]])
    script.cancels[1]?.answer({ cancelled: [id] })
    streamTo(script.posts[0]).result(script.posts[0]?.calls[0], killed)
    expect((await running).outcome).toBe('cancelled')
    await pass(script, 3_000)
    expect(script.cancels).toHaveLength(2)
  })

  test('a second abort does nothing', async () => {
    await using script = extended()
    const controllers = [new AbortController(), new AbortController()]
    const signal = AbortSignal.any(controllers.map((each) => each.signal))
    const running = script.executor.slots('one:1', 1)[0].bash('x', { signal })
    await settled()
    script.giveUp(...controllers)
    await settled()
    expect(script.cancels).toHaveLength(1)
    script.posts[0]?.succeed()
    await running
  })

  test('others in the same post are not touched', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const controller = new AbortController()
    const aborted = a.bash('x', { signal: controller.signal })
    const other = the(b).bash('x')
    await settled()
    script.giveUp(controller)
    await settled()
    const stream = streamTo(script.posts[0])
    stream.result(script.posts[0]?.calls[0], killed)
    expect((await aborted).outcome).toBe('cancelled')
    stream.result(script.posts[0]?.calls[1])
    stream.done(2)
    expect((await other).outcome).toBe('exited')
  })
})

describe('abort of a call whose answer was cut', () => {
  test.each([
    ['cancelled', 'cancelled'],
    ['unknown', 'cancelled'],
    ['finished', 'unknown'],
  ] as const)('while it waits to be asked again; the server says %s: %s', async (list, outcome) => {
    await using script = extended()
    const controller = new AbortController()
    const slot = script.executor.slots('one:1', 1)[0]
    const running = slot.bash('x', { signal: controller.signal })
    await settled()
    the(script.posts[0]).answer(new Response('no', { status: 500 }))
    await settled()
    script.giveUp(controller)
    await settled()
    expect([slot.state, script.cancels.length]).toEqual(['cancelling', 1])
    the(script.cancels[0]).answer({ [list]: the(script.cancels[0]).ids })
    expect(await running).toMatchObject({ outcome, failure: { code: 'aborted' } })
    await pass(script, 10_000)
    expect([slot.state, script.posts.length, script.executor.pending]).toEqual(['idle', 1, 0])
  })

  test('a cut while it is cancelling: the cancellation says how it ended', async () => {
    await using script = extended()
    const { running, id, slot } = await givenUp(script)
    the(script.posts[0]).fail(new Error('reset'))
    await settled()
    script.cancels[0]?.answer({ cancelled: [id] })
    expect(await running).toMatchObject({ outcome: 'cancelled', failure: { code: 'aborted' } })
    await pass(script, 5_000)
    expect([slot.state, script.posts.length]).toEqual(['idle', 1])
  })

  test('a cut after the confirmation ends it at once', async () => {
    await using script = extended()
    const { running, id } = await givenUp(script)
    script.cancels[0]?.answer({ cancelled: [id] })
    await settled()
    the(script.posts[0]).fail(new Error('reset'))
    expect((await running).outcome).toBe('cancelled')
  })

  test('without an answer it is unknown after 2 s', async () => {
    await using script = extended()
    const { running, slot } = await givenUp(script)
    the(script.posts[0]).fail(new Error('reset'))
    await settled()
    await pass(script, 2_250)
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'aborted' } })
    expect([slot.state, script.executor.pending]).toEqual(['idle', 0])
  })
})

test('in the buffer, before any post, it costs nothing', async () => {
  await using script = extended()
  const [slot] = script.executor.slots('one:1', 1)
  const controller = new AbortController()
  const running = slot.bash('x', { signal: controller.signal })
  script.giveUp(controller)
  expect(await running).toMatchObject({ outcome: 'not-run', failure: { code: 'aborted', attempts: 0 } })
  await settled()
  expect([script.posts.length, script.cancels.length]).toEqual([0, 0])
})

test('a server that cannot cancel is as a base server: cancelled at once, the slot waits', async () => {
  await using script = extended({ features: ['ndjson', 'idempotency'] })
  const { slot, running } = await givenUp(script)
  expect((await running).outcome).toBe('cancelled')
  expect([slot.state, script.cancels.length]).toEqual(['cancelling', 0])
  script.posts[0]?.succeed()
  await settled()
  expect(slot.state).toBe('idle')
})

test('close gives cancelling calls their time, then unknown', async () => {
  const script = extended()
  const { running } = await givenUp(script)
  await script.executor.close({ graceMs: 0 })
  expect((await running).outcome).toBe('unknown')
})
