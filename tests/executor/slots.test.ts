import { describe, expect, test } from 'bun:test'
import { SandboxError, SlotStateError } from '../../mod.ts'
import { scripted, settled } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

describe('slots', () => {
  test('asking twice gives the same object, however the address is written', () => {
    const { executor } = scripted()
    const slot = executor.slot({
      slotId: 'slot_0',
      containerAddr: 'http://Host:8080/',
      metadata: { gpu: true },
    })
    expect(executor.slot({ slotId: 'slot_0', containerAddr: 'host:8080' })).toBe(slot)
    expect(executor.slots('http://host:8080', 2)[0]).toBe(slot)
    expect(slot.containerAddr).toBe('http://host:8080')
    expect(slot.metadata).toEqual({ gpu: true })
    expect(() => executor.slot({ slotId: '', containerAddr: 'host:1' })).toThrow('slotId')
    expect(() => executor.slot({ slotId: 'a', containerAddr: 'host:1', name: 'x' } as never)).toThrow('name')
    expect(() => executor.slots('host:1', 0)).toThrow('count')
  })

  test.each([
    [
      { slotid: 'a', containerAddr: 'host:1' },
      'Unknown option slotid in a slot; known: slotId, containerAddr,',
    ],
    [{ containerAddr: 'host:1' }, 'Cannot use a slot: slotId is missing'],
  ])('%p is refused with the name that is wrong', async (init, message) => {
    await using script = scripted()
    expect(() => script.executor.slot(init as never)).toThrow(message)
  })

  test.each([
    ['http://user:hunter2@host:1', 'Cannot use "http://…@host:1" as the address of a container'],
    ['http://host:1/?a=1', 'it must be like http://10.0.0.1:8080, without user, query or fragment'],
  ])('the address %j is refused, and no password told', async (address, sentence) => {
    await using script = scripted()
    expect(() => script.executor.slots(address, 1)).toThrow(sentence)
  })

  test('a saved slot is refused with the name that is missing', async () => {
    await using script = scripted()
    const saved = { containerAddr: 'host:1', state: 'idle' } as never
    expect(() => script.executor.slotFromJSON(saved)).toThrow('Cannot use a saved slot: slotId is missing')
  })

  test('acquire when not idle and release while a call runs throw, naming slot and state', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    expect(() => the(slot).release()).toThrow('Cannot release slot slot_0: it is idle')
    the(slot).acquire('trajectory-1')
    expect([the(slot).state, the(slot).trajectoryId]).toEqual(['acquired', 'trajectory-1'])
    expect(() => the(slot).acquire('trajectory-2')).toThrow(SlotStateError)
    const running = the(slot).bash('x')
    await settled()
    expect(() => the(slot).release()).toThrow('Cannot release slot slot_0: it is executing')
    script.automatic()
    await running
    expect(the(slot).state).toBe('acquired')
    the(slot).release()
    expect([the(slot).state, the(slot).trajectoryId]).toEqual(['idle', null])
  })

  test('returns to what it was, also after a failure', async () => {
    await using script = scripted()
    const [idle, acquired] = script.executor.slots('one:1', 2)
    the(acquired).acquire()
    const running = [the(idle).bash('x'), the(acquired).bash('x')]
    await settled()
    expect([the(idle).state, the(acquired).state]).toEqual(['executing', 'executing'])
    for (const post of script.posts) post.fail(new Error('cut'))
    await Promise.all(running)
    expect([the(idle).state, the(acquired).state]).toEqual(['idle', 'acquired'])
  })

  test('a reset waits for the running call, shows resetting and leads back', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    the(slot).acquire('t')
    const running = the(slot).bash('x')
    const reset = the(slot).reset()
    await settled()
    expect(the(slot).state).toBe('executing')
    the(script.posts[0]).succeed()
    await settled()
    expect([the(slot).state, the(script.posts[1]).route]).toEqual(['resetting', '/reset'])
    the(script.posts[1]).succeed()
    expect((await reset).success && (await running).success).toBe(true)
    expect([the(slot).state, the(slot).trajectoryId]).toEqual(['acquired', 't'])
  })

  test('a failed reset is told, and faults the slot until one succeeds', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const reset = the(slot).reset()
    const behind = the(slot).bash('x')
    await settled()
    the(script.posts[0]).answer(Response.json({ success: false, error: 'disk full' }))
    expect(await reset).toMatchObject({ success: false, error: 'disk full', outcome: 'exited' })
    expect(await behind).toMatchObject({ outcome: 'not-run', failure: { code: 'slot-faulted' } })
    expect((await behind).error).toContain('disk full')
    expect(the(slot).state).toBe('faulted')
    expect(await the(slot).bash('y')).toMatchObject({ outcome: 'not-run', failure: { code: 'slot-faulted' } })
    expect(() => the(slot).acquire()).toThrow('it is faulted')
    script.automatic()
    expect((await the(slot).reset()).success).toBe(true)
    expect((await the(slot).bash('z')).success).toBe(true)
  })

  test('a reset that is given up before it was posted leaves the slot as it was', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const controller = new AbortController()
    const reset = the(slot).reset({ signal: controller.signal })
    script.giveUp(controller)
    expect((await reset).outcome).toBe('not-run')
    expect(the(slot).state).toBe('idle')
  })

  test('markFaulted ends the lease and what waits; the running call still ends as it ends', async () => {
    await using script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    the(slot).acquire('t')
    const running = the(slot).bash('x')
    const behind = the(slot).bash('y')
    await settled()
    the(slot).markFaulted('the workspace is corrupt')
    expect([the(slot).state, the(slot).trajectoryId]).toEqual(['faulted', null])
    expect((await behind).error).toContain('the workspace is corrupt')
    the(script.posts[0]).succeed()
    expect((await running).success).toBe(true)
    expect(the(slot).state).toBe('faulted')
    expect(script.executor.pending).toBe(0)
    expect(() => the(slot).markFaulted('')).toThrow('reason')
  })

  test('JSON brings back who holds a slot, and that it is faulted', async () => {
    await using from = scripted()
    await using to = scripted()
    const [idle, held, faulted] = from.executor.slots('one:1', 3)
    the(held).acquire('t')
    the(faulted).markFaulted('broken')
    const copies = [idle, held, faulted].map((slot) =>
      to.executor.slotFromJSON(JSON.parse(JSON.stringify(slot))),
    )
    expect(copies.map((slot) => [slot.slotId, slot.state, slot.trajectoryId])).toEqual([
      ['slot_0', 'idle', null],
      ['slot_1', 'acquired', 't'],
      ['slot_2', 'faulted', null],
    ])
    expect((await the(copies[2]).bash('x')).error).toContain('broken')
    expect(() => to.executor.slotFromJSON({ slotId: 'a' } as never)).toThrow('containerAddr')
  })
})

describe('close', () => {
  test('settles what is not posted at once, gives what is posted its time, and is idempotent', async () => {
    const script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const posted = the(slot).bash('x')
    const waiting = the(slot).bash('y')
    await settled()
    const closing = script.executor.close()
    const again = script.executor.close()
    expect(await waiting).toMatchObject({ outcome: 'not-run', failure: { code: 'closed' } })
    the(script.posts[0]).succeed()
    expect((await posted).outcome).toBe('exited')
    await Promise.all([closing, again, script.executor.close()])
    expect([script.posts.length, script.executor.pending]).toEqual([1, 0])
    const later = the(slot)
      .bash('z')
      .catch((reason: unknown) => reason)
    expect(await later).toBeInstanceOf(SandboxError)
    expect(await later).toMatchObject({ code: 'closed' })
    expect(() => script.executor.slots('one:1', 1)).toThrow('closed')
  })

  test('refuses options that it does not know, and stays open', async () => {
    await using script = scripted()
    script.automatic()
    expect(script.executor.close({ graceMs: -1 })).rejects.toThrow('graceMs')
    expect((await script.executor.slots('one:1', 1)[0].bash('x')).success).toBe(true)
  })

  test('what is posted and not answered in time is unknown', async () => {
    const script = scripted()
    const [slot] = script.executor.slots('one:1', 1)
    const posted = the(slot).bash('x')
    await settled()
    const closing = script.executor.close()
    script.clock.increment(1_999)
    await settled()
    expect(script.executor.pending).toBe(1)
    script.clock.increment(1)
    await closing
    expect(await posted).toMatchObject({ outcome: 'unknown', failure: { code: 'closed' } })
  })
})

describe('a listener of one’s own', () => {
  const fail = "(event) => { if (event.type === type) throw new Error('listener broke') }"
  test.each([
    ['call.settled', `{ onEvent: ${fail} }`],
    ['@xstate.action', `{ inspect: ${fail} }`],
    ['@xstate.microstep', `{ inspect: { next: ${fail} } }`],
  ])('that throws stops nothing; its error is reported as uncaught: %s', async (type, options) => {
    const mod = new URL('../../mod.ts', import.meta.url).pathname
    const program = `
      import { createMemoryTransport, SandboxExecutor } from '${mod}'
      process.on('uncaughtException', (error) => console.log('uncaught', error.message))
      const transport = createMemoryTransport(async () => Response.json({ success: true, status: 'ok' }))
      const type = '${type}'
      await using executor = new SandboxExecutor({ transport, ...${options} })
      const [slot] = executor.slots('one:1', 1)
      console.log((await slot.bash('x')).success, slot.state)`
    const io = { stdout: 'pipe', stderr: 'inherit', timeout: 5_000, killSignal: 'SIGKILL' } as const
    const child = Bun.spawn([process.execPath, '-e', program], io)
    const lines = (await new Response(child.stdout).text()).trim().split('\n')
    expect([...new Set(lines)].sort()).toEqual(['true idle', 'uncaught listener broke'])
  })
})

describe('onEvent', () => {
  test('tells the way of a call', async () => {
    await using script = scripted()
    script.automatic()
    const [slot] = script.executor.slots('one:1', 1)
    await the(slot).bash('x', { executionId: 'a' })
    await settled()
    expect(script.events.map((event) => event.type)).toEqual([
      'call.queued',
      'slot.changed',
      'link.changed',
      'link.changed',
      'post.started',
      'call.posted',
      'call.settled',
      'slot.changed',
    ])
    expect(script.events).toContainEqual(
      expect.objectContaining({ type: 'call.settled', executionId: 'a', outcome: 'exited', success: true }),
    )
  })
})
