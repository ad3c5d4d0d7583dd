import { expect, test } from 'bun:test'
import { SandboxExecutor, SandboxUsageError, SlotPool, staticDiscovery } from '../../mod.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import { hasBubblewrap } from '../server/support.ts'
import { scripted } from '../support/scripted-container.ts'
import { the } from '../support/the.ts'

test('each call is one of the tool tmux, with times in seconds', async () => {
  await using script = scripted()
  script.automatic()
  const [slot] = script.executor.slots('one:1', 1)
  const { terminal } = the(slot)
  await terminal.start()
  await terminal.start({ paneWidth: 80, paneHeight: 24, timeoutMs: 5_000 })
  await terminal.sendKeys('ls')
  await terminal.sendKeys(['ls', 'Enter'], {
    block: true,
    minWaitMs: 200,
    maxWaitMs: 1_500,
    executionId: 'mine',
  })
  await terminal.capture()
  await terminal.capture({ entire: true })
  await terminal.stop({ timeoutMs: 1_000 })
  const calls = script.posts.flatMap((post) => post.calls)
  expect(calls.map(({ tool }) => tool)).toEqual(Array(7).fill('tmux'))
  expect(calls.map(({ args }) => args)).toEqual([
    { action: 'start' },
    { action: 'start', pane_width: 80, pane_height: 24 },
    { action: 'send_keys', keys: 'ls' },
    { action: 'send_keys', keys: ['ls', 'Enter'], block: true, min_wait_s: 0.2, max_wait_s: 1.5 },
    { action: 'capture' },
    { action: 'capture', capture_entire: true },
    { action: 'stop' },
  ])
  expect(calls.map(({ timeout }) => timeout)).toEqual([30, 5, 30, 30, 30, 30, 1])
  expect(the(calls[3]).execution_id).toBe('mine')
})

test('misuse rejects, naming the field, and nothing is posted', async () => {
  await using script = scripted()
  const [slot] = script.executor.slots('one:1', 1)
  const { terminal } = the(slot)
  const misuse: [Promise<unknown>, string][] = [
    [terminal.start({ paneWidth: 0 }), 'paneWidth'],
    [terminal.start({ columns: 80 } as never), 'columns'],
    [terminal.sendKeys(5 as never), 'keys'],
    [terminal.sendKeys('x', { block: 'yes' as never }), 'block'],
    [terminal.sendKeys('x', { minWaitMs: Number.NaN }), 'minWaitMs'],
    [terminal.sendKeys('x', { maxWaitMs: -1 }), 'maxWaitMs'],
    [terminal.capture({ entire: 1 as never }), 'entire'],
    [terminal.stop({ timeoutMs: 0 }), 'timeoutMs'],
  ]
  for (const [promise, field] of misuse) {
    const thrown = await promise.catch((thrown: unknown) => thrown)
    expect(thrown).toBeInstanceOf(SandboxUsageError)
    expect(thrown).toMatchObject({ field: expect.stringContaining(field) })
  }
  expect(script.posts).toEqual([])
})

test.skipIf(!hasBubblewrap)('a slot and a lease have a terminal on a real server', async () => {
  await using server = await startSandboxServer({ slots: 2 })
  await using executor = new SandboxExecutor()
  const slot = executor.slot({ slotId: 'slot_0', containerAddr: server.url })
  await using pool = await SlotPool.start({ discovery: staticDiscovery([server.url]) })
  await using lease = await pool.acquire()
  for (const [{ terminal }, name] of [
    [slot, 'slot'],
    [lease, 'lease'],
  ] as const) {
    expect((await terminal.start({ paneWidth: 40, paneHeight: 10 })).success).toBe(true)
    expect((await terminal.sendKeys(`echo from a ${name}`, { block: true })).success).toBe(true)
    const { output, outcome } = await terminal.capture()
    expect([outcome, output]).toEqual([
      'exited',
      `$ echo from a ${name}\nfrom a ${name}\n$\n${'\n'.repeat(7)}`,
    ])
    const late = await terminal.sendKeys('sleep 1000', { block: true, timeoutMs: 300 })
    expect([late.success, late.outcome]).toEqual([false, 'timed-out'])
    expect((await terminal.stop()).output).toBe('stopped')
  }
})
