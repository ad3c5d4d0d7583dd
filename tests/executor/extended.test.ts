/** Calls to a container that speaks the extended protocol, its every answer given by the test. */
import { describe, expect, test } from 'bun:test'
import { extendedHealth, ledger, streamTo } from '../support/answer-stream.ts'
import { refused, type Scripted, scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

function extended(options: Parameters<typeof scripted>[0] = {}, health: object = {}): Scripted {
  const script = scripted(options)
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

function brokenBody(): ReadableStream {
  return new ReadableStream({ pull: (controller) => controller.error(new Error('reset')) })
}

describe('negotiation', () => {
  test('all tool calls go to /v2/batch with the ledger, lone ones too', async () => {
    await using script = extended()
    script.automatic()
    const [a, b] = script.executor.slots('one:1', 2)
    expect(await a.bash('x')).toMatchObject({ success: true, outcome: 'exited' })
    await script.executor.executeBatch([
      [a, 'bash', { command: 'x' }],
      [the(b), 'read_file', { path: 'x' }],
    ])
    expect(script.posts.map(({ route, calls }) => [route, calls.length])).toEqual([
      ['/v2/batch', 1],
      ['/v2/batch', 2],
    ])
    expect(script.posts.map(({ headers }) => headers.get('if-ledger'))).toEqual([ledger, ledger])
    expect(script.healthChecks).toBe(1)
  })

  test('one batch per tick: no call is kept from strangers', async () => {
    await using script = extended()
    script.automatic()
    const slots = script.executor.slots('one:1', 30)
    const files = slots.slice(20).map((slot) => slot.readFile('x', { timeoutMs: 500 }))
    await Promise.all([...slots.slice(0, 20).map((slot) => slot.bash('x')), ...files])
    expect(script.posts.map(({ calls }) => calls.length)).toEqual([30])
  })

  test('resets and artifacts keep their routes', async () => {
    await using script = extended()
    script.automatic()
    const [slot] = script.executor.slots('one:1', 1)
    await slot.reset()
    await slot.artifacts.list()
    expect(script.posts.map(({ route }) => route)).toEqual(['/reset', '/artifacts/list'])
  })

  test.each([
    ['protocol 1', { protocol: 1 }],
    ['no ledger', { ledger: null }],
    ['no ndjson', { features: ['idempotency'] }],
    ['no idempotency', { features: ['ndjson', 'cancel'] }],
  ])('%s is a base server', async (_, health) => {
    await using script = extended({}, health)
    script.automatic()
    await script.executor.slots('one:1', 1)[0].bash('x')
    expect(script.posts.map(({ route }) => route)).toEqual(['/execute'])
  })

  test('a look at its health that was cut is made again', async () => {
    await using script = extended()
    script.automatic()
    let looks = 0
    script.health = () => {
      looks += 1
      return looks > 1 ? extendedHealth() : new Response(brokenBody())
    }
    const running = script.executor.slots('one:1', 1)[0].bash('x')
    await settled()
    await pass(script, 1_000)
    expect((await running).outcome).toBe('exited')
    expect(script.posts.map(({ route }) => route)).toEqual(['/v2/batch'])
  })

  test('a body or a timeout over what the server announced is refused here, with both numbers', async () => {
    await using script = extended({}, { max_body_bytes: 2_000, max_timeout: 60 })
    script.automatic()
    const [a, b, c] = script.executor.slots('one:1', 3)
    const [large, slow, fine] = await Promise.all([
      a.writeFile('x', 'y'.repeat(3_000)),
      the(b).bash('x', { timeoutMs: 61_000 }),
      the(c).bash('x'),
    ])
    expect(large).toMatchObject({ outcome: 'not-run', failure: { code: 'too-large', attempts: 0 } })
    expect(large.error).toMatch(/^Cannot post call .*: its request has 31\d\d bytes, the server takes 2000$/)
    expect(slow).toMatchObject({ outcome: 'not-run', failure: { code: 'unsupported' } })
    expect(slow.error).toContain('its timeout is 61000 ms, the server takes 60000 ms')
    expect(fine.success).toBe(true)
    expect([a.state, the(b).state, script.posts.length]).toEqual(['idle', 'idle', 1])
  })

  test('batches keep to the announced size', async () => {
    await using script = extended({}, { max_body_bytes: 2_000 })
    script.automatic()
    const slots = script.executor.slots('one:1', 10)
    const results = await Promise.all(slots.map((slot) => slot.writeFile('x', 'y'.repeat(800))))
    expect(results.every(({ success }) => success)).toBe(true)
    expect(script.posts.map(({ calls }) => calls.length)).toEqual([2, 2, 2, 2, 2])
  })

  test('small calls fill it to the last byte', async () => {
    await using script = extended({}, { max_body_bytes: 2_000 })
    script.automatic()
    const slots = script.executor.slots('one:1', 10)
    const results = await Promise.all(slots.map((slot) => slot.writeFile('x', 'y'.repeat(300))))
    expect(results.every(({ success }) => success)).toBe(true)
    expect(script.posts.map(({ calls }) => calls.length)).toEqual([4, 4, 2])
  })
})

describe('a container that is another one (404, 412)', () => {
  test.each([404, 412])(
    '%d: its health is read again, and the calls go out in the new way',
    async (status) => {
      await using script = extended({ retry: { attempts: 1 } })
      const [a, b] = script.executor.slots('one:1', 2)
      const running = [a.bash('x'), the(b).bash('x')]
      await settled()
      script.health = () =>
        status === 404 ? Response.json({ status: 'ok' }) : extendedHealth({ ledger: 'new' })
      the(script.posts[0]).answer(Response.json({ success: false, error: 'no' }, { status }))
      await settled()
      expect(script.healthChecks).toBe(2)
      const again = script.posts.slice(1)
      expect(again.map(({ route }) => route)).toEqual(status === 404 ? ['/batch'] : ['/v2/batch'])
      expect(again[0]?.headers.get('if-ledger')).toBe(status === 404 ? null : 'new')
      again[0]?.succeed()
      expect((await Promise.all(running)).map(({ outcome }) => outcome)).toEqual(['exited', 'exited'])
    },
  )

  test('one that goes on saying so is left alone longer and longer, and the calls end not-run', async () => {
    await using script = extended()
    const [slot] = script.executor.slots('one:1', 1)
    const running = slot.bash('x')
    for (let at = 0; at < 4; at += 1) {
      await settled()
      the(script.posts[at]).answer(Response.json({ error: 'other ledger' }, { status: 412 }))
      await pass(script, at === 0 ? 0 : 4_000)
    }
    const result = await running
    expect(result).toMatchObject({ outcome: 'not-run', failure: { code: 'http-error' } })
    expect(result.error).toContain('HTTP 412: other ledger')
    await pass(script, 30_000)
    expect(script.posts).toHaveLength(4)
  })

  test.each([
    ['a base server', () => Response.json({ status: 'ok' })],
    ['one with an empty ledger', () => extendedHealth({ ledger: 'empty' })],
  ])(
    'replaced by %s between two attempts: a call that was cut is unknown, and not sent there',
    async (_, health) => {
      await using script = extended()
      const [a, b] = script.executor.slots('one:1', 2)
      const cut = a.bash('x')
      await settled()
      script.health = health
      the(script.posts[0]).fail(new Error('reset'))
      const fresh = the(b).bash('x')
      await settled()
      const result = await cut
      expect(result).toMatchObject({ outcome: 'unknown', failure: { code: 'interrupted', attempts: 1 } })
      expect(result.error).toContain('the server that knew it was replaced')
      expect(script.posts.slice(1).map(({ calls }) => calls.length)).toEqual([1])
      script.posts[1]?.succeed()
      expect((await fresh).outcome).toBe('exited')
      expect(a.state).toBe('idle')
    },
  )

  test.each([
    ['in trouble', () => new Response('busy', { status: 503 })],
    ['whose answer makes no sense', () => new Response('{"status":"ok","proto')],
  ])('a server %s is still what it was', async (_, health) => {
    await using script = extended()
    const [slot] = script.executor.slots('one:1', 1)
    const running = slot.bash('x')
    await settled()
    the(script.posts[0]).fail(refused())
    script.health = health
    await settled()
    await pass(script, 1_000)
    expect(script.posts.map(({ route }) => route)).toEqual(['/v2/batch', '/v2/batch'])
    script.automatic()
    expect((await running).outcome).toBe('exited')
  })
})

describe('results stream back', () => {
  test('each call settles as its line comes, in whatever order; its slot goes on', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const slow = a.bash('slow')
    const fast = the(b).bash('fast')
    await settled()
    const [post] = script.posts
    const stream = streamTo(post)
    stream.result(post?.calls[1])
    expect((await fast).outcome).toBe('exited')
    const next = the(b).bash('next')
    await settled()
    expect([a.state, the(b).state, script.posts.length]).toEqual(['executing', 'executing', 2])
    script.posts[1]?.succeed()
    expect((await next).output).toBe((await next).executionId)
    stream.result(post?.calls[0])
    stream.done(2)
    expect((await slow).output).toBe((await slow).executionId)
  })

  test('lines in pieces, split in the middle of a character, in one chunk, with empty ones between', async () => {
    await using script = extended()
    const slots = script.executor.slots('one:1', 3)
    const running = slots.map((slot) => slot.bash('x'))
    await settled()
    const post = the(script.posts[0])
    const lines = post.calls.map((call) =>
      JSON.stringify({ success: true, output: 'é€😀', execution_id: call.execution_id }),
    )
    const bytes = new TextEncoder().encode(`${lines.join('\n\n')}\n{"done":true,"count":3}\n`)
    post.answer(
      new Response(
        new ReadableStream({
          start: (controller) => {
            for (let at = 0; at < bytes.length; at += 3) controller.enqueue(bytes.slice(at, at + 3))
            controller.close()
          },
        }),
      ),
    )
    expect((await Promise.all(running)).map(({ output }) => output)).toEqual(['é€😀', 'é€😀', 'é€😀'])
  })

  test('what the server says of a call is what its result says', async () => {
    await using script = extended({ retry: { attempts: 1 } })
    const slots = script.executor.slots('one:1', 4)
    const running = slots.map((slot) => slot.bash('x'))
    await settled()
    const { calls } = the(script.posts[0])
    const stream = streamTo(script.posts[0])
    stream.result(calls[0], { success: false, error: 'gone', code: 'interrupted' })
    stream.result(calls[1], { success: false, error: 'other body', code: 'execution_id_conflict' })
    stream.result(calls[2], { metadata: { replayed: true, exit_code: 0 } })
    stream.result(calls[3], {
      success: false,
      error: 'killed',
      output: 'so far',
      metadata: { cancelled: true },
    })
    stream.done(4)
    const results = await Promise.all(running)
    expect(results.map(({ outcome, failure }) => [outcome, failure?.code])).toEqual([
      ['unknown', 'interrupted'],
      ['not-run', 'conflict'],
      ['exited', undefined],
      ['cancelled', 'interrupted'],
    ])
    expect(results.map(({ output }) => output)[3]).toBe('so far')
  })

  test('an answer that never ends though all results are there is hung up on', async () => {
    await using script = extended()
    const [slot] = script.executor.slots('one:1', 1)
    const running = slot.bash('x')
    await settled()
    const stream = streamTo(script.posts[0])
    stream.result(script.posts[0]?.calls[0])
    expect((await running).outcome).toBe('exited')
    await pass(script, 2_000)
    await stream.hungUp
    expect(script.executor.pending).toBe(0)
    expect(script.events.filter(({ type }) => type === 'post.failed')).toEqual([])
  })
})

describe('what is missing is asked for again, with the same ids', () => {
  const cuts: [string, (script: Scripted) => void, 'at once' | 'after a pause'][] = [
    [
      'the connection breaks before an answer',
      ({ posts }) => the(posts[0]).fail(new Error('reset')),
      'at once',
    ],
    ['the answer breaks', ({ posts }) => streamTo(posts[0]).cut(), 'at once'],
    ['the answer ends without its last line', ({ posts }) => streamTo(posts[0]).end(), 'at once'],
    ['the answer holds no result', ({ posts }) => streamTo(posts[0]).done(0), 'at once'],
    ['status 500', ({ posts }) => the(posts[0]).answer(new Response('no', { status: 500 })), 'after a pause'],
    ['garbage', ({ posts }) => the(posts[0]).answer(new Response('<html>')), 'at once'],
    [
      'a line that is malformed',
      ({ posts }) => {
        const stream = streamTo(posts[0])
        stream.line({ execution_id: posts[0]?.calls[0]?.execution_id, success: 'yes' })
        stream.done(1)
      },
      'at once',
    ],
  ]
  test.each(cuts)('%s', async (_, cut, when) => {
    await using script = extended()
    const running = script.executor.slots('one:1', 1)[0].bash('x')
    await settled()
    cut(script)
    await settled()
    if (when === 'after a pause') {
      await pass(script, 750)
      expect(script.posts).toHaveLength(1)
      await pass(script, 500)
    }
    expect(script.posts.map(({ calls }) => calls[0]?.execution_id)).toEqual(
      Array.from({ length: 2 }, () => the(script.posts[0]?.calls[0]).execution_id),
    )
    script.posts[1]?.succeed()
    expect(await running).toMatchObject({ outcome: 'exited', success: true })
    expect((await running).failure).toBeUndefined()
  })

  test('after one cut nobody waits for more than a look at its health, strangers neither', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const cut = a.bash('x')
    await settled()
    the(script.posts[0]).fail(new Error('reset'))
    const stranger = the(b).bash('x')
    await settled()
    script.automatic()
    expect((await Promise.all([cut, stranger])).map(({ outcome }) => outcome)).toEqual(['exited', 'exited'])
    expect(script.healthChecks).toBe(2)
    expect(script.events.some(({ type }) => type === 'retry.scheduled')).toBe(false)
  })

  test('a container that is cut and gone is left alone between attempts, as often as a call has some', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const cut = a.bash('x')
    await settled()
    script.health = () => Promise.reject(refused())
    the(script.posts[0]).fail(new Error('reset'))
    const stranger = the(b).bash('x')
    await settled()
    const checks = [script.healthChecks]
    for (const ms of [750, 250, 1_750, 250]) {
      await pass(script, ms)
      checks.push(script.healthChecks)
    }
    // The second attempt is at once; then the pauses grow.
    expect(checks).toEqual([2, 2, 2, 3, 3])
    expect(await cut).toMatchObject({ outcome: 'unknown', failure: { attempts: 3 } })
    await pass(script, 5_000)
    expect(await stranger).toMatchObject({ outcome: 'not-run', failure: { attempts: 3 } })
    expect([script.posts.length, script.healthChecks]).toEqual([1, 4])
  })

  test('a second cut, without an answer between them, is followed by a pause', async () => {
    await using script = extended()
    const running = script.executor.slots('one:1', 1)[0].bash('x')
    await settled()
    the(script.posts[0]).fail(new Error('reset'))
    await settled()
    the(script.posts[1]).fail(new Error('reset'))
    await settled()
    await pass(script, 1_750)
    expect(script.posts).toHaveLength(2)
    script.automatic()
    await pass(script, 250)
    expect(await running).toMatchObject({ outcome: 'exited' })
    expect(script.posts).toHaveLength(3)
  })

  test('only for the calls that have no result', async () => {
    await using script = extended()
    const slots = script.executor.slots('one:1', 3)
    const running = slots.map((slot) => slot.bash('x'))
    await settled()
    const { calls } = the(script.posts[0])
    const stream = streamTo(script.posts[0])
    stream.result(calls[1])
    await running[1]
    stream.cut()
    await pass(script, 1_250)
    expect(script.posts[1]?.calls.map((call) => call.execution_id)).toEqual(
      [calls[0], calls[2]].map((call) => call?.execution_id ?? ''),
    )
    script.automatic()
    expect((await Promise.all(running)).map(({ outcome }) => outcome)).toEqual(['exited', 'exited', 'exited'])
  })

  test('until its attempts are spent: then it is unknown', async () => {
    await using script = extended()
    const running = script.executor.slots('one:1', 1)[0].bash('x')
    for (let at = 0; at < 3; at += 1) {
      await settled()
      the(script.posts[at]).fail(new Error('reset'))
      await settled()
      await pass(script, 4_000)
    }
    const result = await running
    expect(result).toMatchObject({ outcome: 'unknown', failure: { code: 'unreachable', attempts: 3 } })
    expect(result.error).toBe('Failed after 3 attempts: reset (container http://one:1)')
    await pass(script, 30_000)
    expect(script.posts).toHaveLength(3)
  })

  test('a call that was cut stays unknown, whatever proves that a later attempt did not run', async () => {
    await using script = extended()
    const running = script.executor.slots('one:1', 1)[0].bash('x')
    await settled()
    the(script.posts[0]).fail(new Error('reset'))
    script.health = () => Promise.reject(refused())
    await settled()
    await pass(script, 10_000)
    const result = await running
    expect(result).toMatchObject({ outcome: 'unknown', failure: { code: 'unreachable' } })
    expect(result.error).toContain('an answer about it was cut before: it may have run')
  })

  test('the deadline counts all attempts', async () => {
    await using script = extended({ retry: { attempts: 100 } })
    const running = script.executor.slots('one:1', 1)[0].bash('x', { timeoutMs: 1_000 })
    await settled()
    the(script.posts[0]).fail(new Error('reset'))
    await settled()
    await pass(script, 6_250)
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'deadline' } })
  })

  test('an answer that is late is asked for once more: the connection may have died without a word', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const running = [a.bash('x', { timeoutMs: 1_000 }), the(b).bash('x', { timeoutMs: 60_000 })]
    await settled()
    await pass(script, 2_000)
    expect(script.posts).toHaveLength(1)
    await pass(script, 250)
    expect(script.posts.map(({ calls }) => calls.length)).toEqual([2, 1])
    expect(script.posts[1]?.calls[0]?.execution_id).toBe(the(script.posts[0]?.calls[0]).execution_id)
    streamTo(script.posts[0]).result(script.posts[0]?.calls[0], { output: 'too late' })
    await settled()
    script.posts[1]?.succeed()
    expect(await running[0]).toMatchObject({
      outcome: 'exited',
      output: script.posts[1]?.calls[0]?.execution_id,
    })
  })

  test('and is unknown at its deadline', async () => {
    await using script = extended()
    const running = script.executor.slots('one:1', 1)[0].bash('x', { timeoutMs: 1_000 })
    await settled()
    await pass(script, 6_250)
    expect(await running).toMatchObject({ outcome: 'unknown', failure: { code: 'deadline', attempts: 2 } })
    expect(script.posts).toHaveLength(2)
  })

  test('a ledger that may have forgotten the call is not asked', async () => {
    await using script = extended({ retry: { delayMs: 2_000 } }, { ledger_retention: 1 })
    const running = script.executor.slots('one:1', 1)[0].bash('x')
    await settled()
    the(script.posts[0]).answer(new Response('no', { status: 500 }))
    await settled()
    await pass(script, 10_000)
    expect(await running).toMatchObject({ outcome: 'unknown' })
    expect(script.posts).toHaveLength(1)
  })
})

describe('answers that are not as they should be (promise 7)', () => {
  test('foreign, doubled, nameless and late lines reach nobody', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const running = [a.bash('x'), the(b).bash('x')]
    await settled()
    const { calls } = the(script.posts[0])
    const stream = streamTo(script.posts[0])
    stream.line({ success: true, output: 'foreign', execution_id: 'zz' })
    stream.line({ success: true, output: 'nameless', execution_id: null })
    stream.live(calls[0], 'stdout', 'nobody listens', 0)
    stream.result(calls[0])
    stream.result(calls[0], { output: 'doubled' })
    stream.live(calls[0], 'stdout', 'late', 0)
    stream.result(calls[1])
    stream.done(2)
    const results = await Promise.all(running)
    expect(results.map(({ output, executionId }) => output === executionId)).toEqual([true, true])
    await settled()
    expect(script.events.filter(({ type }) => type === 'post.failed')).toMatchObject([
      { message: 'Something is wrong with the answer: it holds a result for zz, which was not asked for' },
    ])
  })

  test('the second of two results is told as what it is', async () => {
    await using script = extended()
    const running = script.executor.slots('one:1', 1)[0].bash('x')
    await settled()
    const [call] = the(script.posts[0]).calls
    const stream = streamTo(script.posts[0])
    stream.result(call)
    stream.result(call, { output: 'doubled' })
    stream.done(1)
    expect((await running).output).toBe(the(call).execution_id)
    await settled()
    expect(script.events.filter(({ type }) => type === 'post.failed')).toMatchObject([
      { message: expect.stringContaining('it holds two results for') },
    ])
  })

  test('a line without end is passed over, the others count', async () => {
    await using script = extended()
    const [a, b] = script.executor.slots('one:1', 2)
    const running = [a.bash('x'), the(b).bash('x')]
    await settled()
    const { calls } = the(script.posts[0])
    const stream = streamTo(script.posts[0])
    stream.result(calls[0], { output: 'x'.repeat(2 * 1024 * 1024) })
    stream.result(calls[1])
    stream.done(2)
    const [large, fine] = await Promise.all(running)
    expect(fine?.outcome).toBe('exited')
    expect(large).toMatchObject({ outcome: 'unknown', failure: { code: 'too-large', attempts: 1 } })
  })
})
