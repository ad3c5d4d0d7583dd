import { describe, expect, test } from 'bun:test'
import { SimulatedClock } from 'xstate'
import { Deadlines, type Expiring } from '../../src/executor/deadlines.ts'
import { scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

describe('a call settles at its first attempt + timeoutMs + 5 s (promise 3)', () => {
  test('when the server says nothing: unknown, never timed-out', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x', { timeoutMs: 2_000 })
    await settled()
    script.clock.increment(6_900)
    await settled()
    expect(script.executor.pending).toBe(1)
    script.clock.increment(250)
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'deadline', attempts: 1 } })
    expect(the(slot).state).toBe('idle')
  })

  test('when the server stalls in the middle of its answer', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x', { timeoutMs: 2_000 })
    await settled()
    const body = new ReadableStream({ start: (stream) => stream.enqueue(new TextEncoder().encode('{"succ')) })
    the(script.posts[0]).answer(new Response(body))
    await settled()
    script.clock.increment(7_250)
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'deadline' } })
  })

  test('a call of its own timeout outlives the others of its post', async () => {
    await using script = scripted()
    const [a, b] = script.executor.slots('one:1', 2)
    const running = script.executor.executeBatch([
      { slot: the(a), tool: 'bash', args: { command: 'x' }, timeoutMs: 1_000 },
      { slot: the(b), tool: 'bash', args: { command: 'x' }, timeoutMs: 60_000 },
    ])
    await settled()
    script.clock.increment(6_250)
    await settled()
    expect([the(a).state, the(b).state]).toEqual(['idle', 'executing'])
    script.clock.increment(40_000)
    the(script.posts[0]).succeed()
    expect((await running).map((result) => result.outcome)).toEqual(['unknown', 'exited'])
  })

  test('a post that nobody waits for any more is ended', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x', { timeoutMs: 1_000 })
    await settled()
    script.clock.increment(6_250)
    await running
    await settled()
    script.automatic()
    expect((await the(slot).bash('y')).success).toBe(true)
    expect(script.events.filter((event) => event.type === 'post.started')).toHaveLength(2)
  })

  test('a call longer than the default of the executor works', async () => {
    await using script = scripted({ timeoutMs: 1_000 })
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x', { timeoutMs: 3_600_000 })
    await settled()
    script.clock.increment(3_600_000)
    the(script.posts[0]).succeed()
    expect((await running).outcome).toBe('exited')
  })
})

describe('queueTimeoutMs limits the wait before the first post', () => {
  test('behind the slot: not-run, code deadline, and the rest goes on', async () => {
    await using script = scripted({ queueTimeoutMs: 500 })
    const [slot] = script.executor.slots('one:1', 1)
    const first = the(slot).bash('x')
    await settled()
    const second = the(slot).bash('x')
    script.clock.increment(600)
    expect(await second).toMatchObject({ outcome: 'not-run', failure: { code: 'deadline', attempts: 0 } })
    expect((await second).error).toContain('500 ms')
    the(script.posts[0]).succeed()
    expect((await first).outcome).toBe('exited')
  })

  test('does not count once the call is posted', async () => {
    await using script = scripted({ queueTimeoutMs: 500 })
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x')
    await settled()
    script.clock.increment(5_000)
    the(script.posts[0]).succeed()
    expect((await running).outcome).toBe('exited')
  })
})

interface Item extends Expiring<Item> {
  readonly name: string
  expire?: () => void
}

describe('Deadlines', () => {
  /** `longestMs`: what a timer can hold. */
  const make = (longestMs = Infinity) => {
    const clock = new SimulatedClock()
    const expired: string[] = []
    const timers = { set: 0 }
    const counted = {
      now: () => clock.now(),
      setTimeout: (task: () => void, ms: number) => {
        timers.set += 1
        return clock.setTimeout(task, Math.min(ms, longestMs))
      },
      clearTimeout: (timer: unknown) => clock.clearTimeout(timer as number),
    }
    const deadlines = new Deadlines<Item>(counted, (item) => {
      expired.push(item.name)
      item.expire?.()
    })
    const item = (name: string): Item => ({ name, bucket: undefined, place: 0 })
    return { clock, expired, timers, deadlines, item }
  }

  test('fires in order, never early', () => {
    const { clock, expired, deadlines, item } = make()
    deadlines.watch(item('late'), 10_000)
    deadlines.watch(item('soon'), 1_000)
    clock.increment(999)
    expect(expired).toEqual([])
    clock.increment(33)
    expect(expired).toEqual(['soon'])
    clock.increment(9_000)
    expect(expired).toEqual(['soon', 'late'])
  })

  test('what is watched again as it fires keeps no other waiting', () => {
    const { clock, expired, deadlines, item } = make()
    const again = item('again')
    again.expire = () => deadlines.watch(again, 50_000)
    deadlines.watch(again, 1_000)
    deadlines.watch(item('next'), 2_000)
    clock.increment(1_032)
    clock.increment(1_000)
    expect(expired).toEqual(['again', 'next'])
  })

  test('what is dropped as another fires does not fire', () => {
    const { clock, expired, deadlines, item } = make()
    const [first, second, third] = [item('first'), item('second'), item('third')]
    first.expire = () => deadlines.drop(second)
    for (const each of [first, second, third]) deadlines.watch(each, 1_000)
    clock.increment(2_000)
    expect(expired).toEqual(['first', 'third'])
  })

  test('holds one timer for a thousand deadlines, and none when all are dropped', () => {
    const { clock, expired, timers, deadlines, item } = make()
    const items = Array.from({ length: 1_000 }, (_, index) => item(String(index)))
    for (const each of items) deadlines.watch(each, 5_000)
    expect(timers.set).toBe(1)
    for (const each of items) deadlines.drop(each)
    clock.increment(10_000)
    expect(expired).toEqual([])
  })

  test('a timer that fires early is set again', () => {
    const { clock, expired, deadlines, item } = make(1_000)
    deadlines.watch(item('far'), 5_000)
    clock.increment(4_000)
    expect(expired).toEqual([])
    clock.increment(2_000)
    expect(expired).toEqual(['far'])
  })
})
