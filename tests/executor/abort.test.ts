import { describe, expect, test } from 'bun:test'
import { lookMs } from '../../src/executor/aborts.ts'
import { scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

describe('abort before the post: not-run, at no cost', () => {
  test('with a signal that has fired already', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const result = await the(slot).bash('x', { signal: AbortSignal.abort() })
    expect(result).toMatchObject({ outcome: 'not-run', failure: { code: 'aborted', attempts: 0 } })
    await settled()
    expect([script.posts.length, script.executor.pending, the(slot).state]).toEqual([0, 0, 'idle'])
  })

  test('in the buffer of the tick', async () => {
    await using script = scripted()
    script.automatic()
    const [a, b] = script.executor.slots('one:1', 2)
    const controller = new AbortController()
    const aborted = the(a).bash('x', { signal: controller.signal })
    const other = the(b).bash('x')
    controller.abort()
    expect(await aborted).toMatchObject({ outcome: 'not-run', failure: { code: 'aborted' } })
    expect((await other).success).toBe(true)
    expect(script.posts.map((post) => post.calls.length)).toEqual([1])
  })

  test('behind another call of the slot', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const controller = new AbortController()
    const first = the(slot).bash('x')
    const aborted = the(slot).bash('x', { signal: controller.signal })
    const third = the(slot).bash('x')
    await settled()
    script.giveUp(controller)
    expect(await aborted).toMatchObject({ outcome: 'not-run', failure: { code: 'aborted' } })
    script.automatic()
    expect((await first).success && (await third).success).toBe(true)
    expect(script.posts).toHaveLength(2)
  })

  test('while the container is probed', async () => {
    await using script = scripted()
    const health = Promise.withResolvers<Response>()
    script.health = () => health.promise
    const [slot] = script.executor.slots('one:1', 1)
    const controller = new AbortController()
    const aborted = the(slot).bash('x', { signal: controller.signal })
    await settled()
    script.giveUp(controller)
    expect(await aborted).toMatchObject({ outcome: 'not-run', failure: { code: 'aborted', attempts: 0 } })
    health.resolve(Response.json({ status: 'ok' }))
    await settled()
    expect(script.posts).toHaveLength(0)
    script.automatic()
    expect((await the(slot).bash('x')).success).toBe(true)
  })
})

describe('abort after the post, base server: cancelled at once', () => {
  test('the slot stays cancelling until the server answers, then takes its next call', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const controller = new AbortController()
    const aborted = the(slot).bash('x', { signal: controller.signal })
    const next = the(slot).bash('y')
    await settled()
    script.giveUp(controller)
    script.giveUp(controller)
    expect(await aborted).toMatchObject({ outcome: 'cancelled', failure: { code: 'aborted', attempts: 1 } })
    await settled()
    expect([the(slot).state, script.posts.length]).toEqual(['cancelling', 1])
    the(script.posts[0]).succeed()
    await settled()
    expect([the(slot).state, script.posts.length]).toEqual(['executing', 2])
    script.automatic()
    expect((await next).success).toBe(true)
    expect(the(slot).state).toBe('idle')
  })

  test('without an answer the slot takes its next call at the deadline', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const controller = new AbortController()
    void the(slot).bash('x', { signal: controller.signal, timeoutMs: 1_000 })
    await settled()
    script.giveUp(controller)
    await settled()
    script.clock.increment(5_900)
    expect(the(slot).state).toBe('cancelling')
    script.clock.increment(200)
    expect(the(slot).state).toBe('idle')
    script.automatic()
    expect((await the(slot).bash('y')).success).toBe(true)
  })

  test('a cancelled call is never sent again, though its post was refused', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const controller = new AbortController()
    const aborted = the(slot).bash('x', { signal: controller.signal })
    await settled()
    script.giveUp(controller)
    await aborted
    the(script.posts[0]).answer(new Response('later', { status: 429 }))
    await settled()
    script.clock.increment(60_000)
    await settled()
    expect([the(slot).state, script.posts.length]).toEqual(['idle', 1])
  })

  test('others in the same post are not touched', async () => {
    await using script = scripted()
    const [a, b] = script.executor.slots('one:1', 2)
    const controller = new AbortController()
    const aborted = the(a).bash('x', { signal: controller.signal })
    const other = the(b).bash('x')
    await settled()
    script.giveUp(controller)
    expect((await aborted).outcome).toBe('cancelled')
    the(script.posts[0]).succeed()
    expect((await other).outcome).toBe('exited')
  })
})

test('one signal may end a thousand calls: it gets one listener, and none is left', async () => {
  await using script = scripted()
  const { signal, added, removed } = countedSignal()
  const slots = script.executor.slots('one:1', 1_000)
  const running = slots.map((slot) => slot.readFile('x', { signal }))
  await settled()
  script.clock.increment(lookMs)
  script.clock.increment(lookMs)
  expect([added(), removed()]).toEqual([1, 0])
  script.automatic()
  expect((await Promise.all(running)).every(({ success }) => success)).toBe(true)
  expect([added(), removed()]).toEqual([1, 1])
})

test('the signal of a call that is over soon gets no listener', async () => {
  await using script = scripted()
  const { signal, added } = countedSignal()
  script.automatic()
  const [slot] = script.executor.slots('one:1', 1)
  for (let calls = 0; calls < 10; calls += 1) {
    await slot.readFile('x', { signal })
    script.clock.increment(1)
  }
  expect(added()).toBe(0)
})

function countedSignal() {
  const { signal } = new AbortController()
  let [adds, removes] = [0, 0]
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    adds += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    removes += 1
    remove(...args)
  }
  return { signal, added: () => adds, removed: () => removes }
}
