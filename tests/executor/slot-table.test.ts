/** What an executor lets go of. */
import { expect, test } from 'bun:test'
import { createMemoryTransport, SandboxExecutor } from '../../mod.ts'
import { internalsOf } from '../../src/executor/internals.ts'
import { extendedHealth } from '../support/answer-stream.ts'
import { scripted, settled } from '../support/scripted-container.ts'

function start() {
  const script = scripted()
  const { slots } = internalsOf(script.executor)
  const slotNow = () => script.executor.slots('one:1', 2)[0]
  return { script, slotNow, forget: () => slots.forget('http://one:1') }
}

test('a container of which nothing is under way is let go of, with its slots', async () => {
  const { script, slotNow, forget } = start()
  await using _ = script
  script.automatic()
  const slot = slotNow()
  await slot.bash('x')
  forget()
  expect(slotNow()).not.toBe(slot)
  expect((await slotNow().bash('x')).success).toBe(true)
  // It was met anew.
  expect(script.healthChecks).toBe(2)
})

test.each(['a call', 'a reset', 'a download', 'a lease', 'a fault'])('%s keeps it', async (what) => {
  const { script, slotNow, forget } = start()
  await using _ = script
  const slot = slotNow()
  if (what === 'a call') slot.bash('x')
  if (what === 'a reset') slot.reset()
  if (what === 'a download') slot.download('x')
  if (what === 'a lease') slot.acquire()
  if (what === 'a fault') slot.markFaulted('x')
  forget()
  expect(slotNow()).toBe(slot)
  await settled()
})

test('the rest of a download keeps it, though its slot is idle', async () => {
  const asked = Promise.withResolvers<void>()
  const transport = createMemoryTransport(async (request) => {
    if (request.url.endsWith('/health')) return extendedHealth()
    if (request.headers.has('range')) {
      asked.resolve()
      return Promise.withResolvers<Response>().promise
    }
    const cut = new ReadableStream({ start: (controller) => controller.error(new Error('reset')) })
    return new Response(cut, { headers: { etag: `"${'0'.repeat(64)}"` } })
  })
  const executor = new SandboxExecutor({ transport })
  const [slot] = executor.slots('one:1', 1)
  const { body } = await slot.download('x')
  const reading = new Response(body).text().catch((thrown: unknown) => String(thrown))
  await asked.promise
  expect(slot.state).toBe('idle')
  internalsOf(executor).slots.forget('http://one:1')
  expect(executor.slots('one:1', 1)[0]).toBe(slot)
  await executor.close({ graceMs: 0 })
  expect(await reading).toContain('Cannot download x: reset, then: ')
})
