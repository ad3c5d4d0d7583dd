import { describe, expect, test } from 'bun:test'
import { refused, type Scripted, scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

/** Lets simulated time pass in steps, with whatever it sets off. */
async function pass(script: Scripted, ms: number): Promise<void> {
  for (let elapsed = 0; elapsed < ms; elapsed += 250) {
    script.clock.increment(250)
    await settled()
  }
}

describe('a container that cannot be reached (promise 6)', () => {
  test('is tried once for all calls that wait, with growing pauses, as often as one call has attempts', async () => {
    await using script = scripted()
    script.health = () => Promise.reject(refused())
    const slots = script.executor.slots('one:1', 1_000)
    const running = slots.map((slot) => slot.bash('x'))
    await settled()
    expect(script.healthChecks).toBe(1)
    await pass(script, 750)
    expect(script.healthChecks).toBe(1)
    await pass(script, 250)
    expect(script.healthChecks).toBe(2)
    await pass(script, 1_750)
    expect(script.healthChecks).toBe(2)
    await pass(script, 250)
    for (const result of await Promise.all(running)) {
      expect(result).toMatchObject({ outcome: 'not-run', failure: { code: 'unreachable', attempts: 3 } })
      expect(result.error).toBe('Failed after 3 attempts: Unable to connect (container http://one:1)')
    }
    expect([script.healthChecks, script.posts.length]).toEqual([3, 0])
    expect(slots.every((slot) => slot.state === 'idle')).toBe(true)
    await pass(script, 60_000)
    expect(script.healthChecks).toBe(3)
  })

  test('a call that comes while it is down joins the next attempt, and has all of its own', async () => {
    await using script = scripted({ retry: { attempts: 2 } })
    script.health = () => Promise.reject(refused())
    const [a, b] = script.executor.slots('one:1', 2)
    const early = the(a).bash('x')
    await settled()
    const late = the(b).bash('x')
    await pass(script, 1_000)
    expect(await early).toMatchObject({ outcome: 'not-run', failure: { attempts: 2 } })
    expect([script.healthChecks, script.executor.pending]).toEqual([2, 1])
    await pass(script, 2_000)
    expect(await late).toMatchObject({ outcome: 'not-run', failure: { attempts: 2 } })
    expect(script.healthChecks).toBe(3)
  })

  test('a call that comes while it is down and nobody else waits goes out when the pause is over', async () => {
    await using script = scripted({ retry: { attempts: 1 } })
    script.health = () => Promise.reject(refused())
    const [a, b] = script.executor.slots('one:1', 2)
    expect(await the(a).bash('x')).toMatchObject({ outcome: 'not-run', failure: { attempts: 1 } })
    script.health = () => Response.json({ status: 'ok' })
    const late = the(b).bash('x')
    await pass(script, 750)
    expect([script.healthChecks, script.posts.length]).toEqual([1, 0])
    script.automatic()
    await pass(script, 250)
    expect((await late).success).toBe(true)
    expect([script.healthChecks, script.posts.length]).toEqual([2, 1])
  })

  test('runs what waited once it is back', async () => {
    await using script = scripted()
    script.automatic()
    script.health = () => Promise.reject(refused())
    const slots = script.executor.slots('one:1', 4)
    const running = slots.map((slot) => slot.readFile('x'))
    await settled()
    script.health = () => Response.json({ status: 'ok' })
    await pass(script, 1_000)
    expect((await Promise.all(running)).every((result) => result.success)).toBe(true)
    expect(script.posts.map((post) => post.calls.length)).toEqual([4])
    expect(script.events.filter((event) => event.type === 'link.changed').map((event) => event.to)).toEqual([
      'probing',
      'down',
      'probing',
      'up',
    ])
  })

  test('whose health check stalls is given up within the deadline of the call', async () => {
    await using script = scripted()
    script.health = () => Promise.withResolvers<Response>().promise
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x', { timeoutMs: 1_000 })
    await settled()
    await pass(script, 6_250)
    expect(await running).toMatchObject({ outcome: 'not-run', failure: { code: 'unreachable', attempts: 1 } })
  })

  test('any HTTP answer to the health check lets calls through', async () => {
    await using script = scripted()
    script.automatic()
    script.health = () => new Response('no such route', { status: 404 })
    const [slot] = script.executor.slots('one:1', 1)
    expect((await the(slot).bash('x')).success).toBe(true)
  })
})

describe('a post that failed', () => {
  test('is sent again when the connection was never made, after a look at /health', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x')
    await settled()
    the(script.posts[0]).fail(refused())
    await settled()
    await pass(script, 1_000)
    expect([script.healthChecks, script.posts.length]).toEqual([2, 2])
    the(script.posts[1]).succeed()
    expect((await running).success).toBe(true)
  })

  test.each([
    ['a reset', (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' }), 'unreachable'],
    ['an error without a code', (): Error => new TypeError('network error'), 'unreachable'],
  ])('%s is never followed by a second post (promise 5)', async (_, error, code) => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x')
    await settled()
    the(script.posts[0]).fail(error())
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code, attempts: 1 } })
    await pass(script, 10_000)
    expect(script.posts).toHaveLength(1)
  })

  test.each([500, 502, 503])('status %d is never followed by a second post (promise 5)', async (status) => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x')
    await settled()
    the(script.posts[0]).answer(new Response('no', { status, headers: { 'retry-after': '1' } }))
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'http-error', attempts: 1 } })
    await pass(script, 5_000)
    expect(script.posts).toHaveLength(1)
  })

  test('with 429 goes out again after the pause that the server asks for', async () => {
    await using script = scripted()
    const [a, b] = script.executor.slots('one:1', 2)
    const running = the(a).bash('x')
    await settled()
    the(script.posts[0]).answer(new Response('busy', { status: 429, headers: { 'retry-after': '4' } }))
    await settled()
    const other = the(b).bash('x')
    await pass(script, 3_750)
    expect(script.posts).toHaveLength(1)
    await pass(script, 250)
    expect(script.posts.slice(1).map((post) => post.calls.length)).toEqual([2])
    script.automatic()
    expect((await Promise.all([running, other])).every((result) => result.success)).toBe(true)
  })

  test('with 429 again and again ends not-run after its attempts', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x')
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await settled()
      the(script.posts[attempt]).answer(new Response('busy', { status: 429 }))
      await pass(script, 4_000)
    }
    expect(await running).toMatchObject({ outcome: 'not-run', failure: { code: 'http-error', attempts: 3 } })
    expect((await running).error).toBe('Failed after 3 attempts: HTTP 429: busy (container http://one:1)')
    expect(script.posts).toHaveLength(3)
  })

  test('with Retry-After: 3600 settles in time, and says why', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x')
    await settled()
    the(script.posts[0]).answer(new Response('busy', { status: 429, headers: { 'retry-after': '3600' } }))
    const result = await running
    expect(result).toMatchObject({ outcome: 'not-run', failure: { code: 'http-error', attempts: 1 } })
    expect(result.error).toContain('3600000 ms would come too late')
  })

  test('with another 4xx did not run, and is not sent again', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).bash('x')
    await settled()
    the(script.posts[0]).answer(Response.json({ success: false, error: 'Invalid JSON' }, { status: 400 }))
    expect(await running).toMatchObject({ outcome: 'not-run', error: 'HTTP 400: Invalid JSON' })
    await pass(script, 5_000)
    expect(script.posts).toHaveLength(1)
  })
})

describe('sizes (promise 8)', () => {
  test.each([
    ['413', () => new Response('', { status: 413 })],
    [
      "a base server's 500",
      () => Response.json({ success: false, error: 'Request Entity Too Large' }, { status: 500 }),
    ],
  ])('%s halves the batch and goes on', async (_, refusal) => {
    await using script = scripted()
    const slots = script.executor.slots('one:1', 8)
    const running = slots.map((slot) => slot.readFile('x'))
    for (let answered = 0; answered < script.posts.length || answered === 0; answered += 1) {
      await settled()
      const post = the(script.posts[answered])
      if (post.calls.length > 2) post.answer(refusal())
      else post.succeed()
      await settled()
    }
    expect((await Promise.all(running)).every((result) => result.success)).toBe(true)
    expect(script.posts.map((post) => post.calls.length)).toEqual([8, 4, 4, 2, 2, 2, 2])
  })

  test('one call that is too large fails alone, with the numbers', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const running = the(slot).writeFile('x', 'é'.repeat(600_000))
    await settled()
    the(script.posts[0]).answer(new Response('', { status: 413 }))
    const result = await running
    expect(result).toMatchObject({ outcome: 'not-run', failure: { code: 'too-large', attempts: 1 } })
    expect(result.error).toMatch(/its request has 12001\d\d bytes/)
  })
})
