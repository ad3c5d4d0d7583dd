import { expect, test } from 'bun:test'
import { join } from 'node:path'
import type { LogEntry } from '../../src/server/mod.ts'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { scrape } from './scrape.ts'
import { baseUrl, bash, eventually, execute, hasBubblewrap, post, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

async function metricsOf(sandbox: Sandbox, headers: Record<string, string> = {}) {
  const answer = await sandbox.handler(new Request(`${baseUrl}/metrics`, { headers }))
  expect(answer.status).toBe(200)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  return scrape(await answer.text())
}

test('calls are counted by tool and outcome', async () => {
  const sandbox = await openSandbox({ isolation: 'none' })
  await bash(sandbox, 'true')
  await bash(sandbox, 'exit 3')
  await bash(sandbox, 'sleep 60', { timeout: 0.05 })
  await execute(sandbox, 'write_file', { path: 'a', content: 'x' })
  await execute(sandbox, 'read_file', { path: 'missing' })
  await execute(sandbox, 'no_such_tool', {})
  await execute(sandbox, 'another_that_is_not_there', {})
  await execute(sandbox, 'bash', { command: 'true' }, { slot_id: 'slot_99' })
  await post(sandbox, '/execute', { slot_id: 'slot_0', tool: 'bash', args: { command: 7 } })
  const samples = await metricsOf(sandbox)
  const calls = [...samples].filter(([key]) => key.startsWith('sandbox_slots_calls_total'))
  expect(Object.fromEntries(calls)).toEqual({
    'sandbox_slots_calls_total{tool="bash",outcome="succeeded"}': 1,
    'sandbox_slots_calls_total{tool="bash",outcome="failed"}': 1,
    'sandbox_slots_calls_total{tool="bash",outcome="timed-out"}': 1,
    'sandbox_slots_calls_total{tool="bash",outcome="not-run"}': 2,
    'sandbox_slots_calls_total{tool="write_file",outcome="succeeded"}': 1,
    'sandbox_slots_calls_total{tool="read_file",outcome="failed"}': 1,
    'sandbox_slots_calls_total{tool="other",outcome="not-run"}': 2,
  })
  // What did not run has no duration.
  expect(samples.get('sandbox_slots_call_duration_seconds_count{tool="bash"}')).toBe(3)
  expect(samples.get('sandbox_slots_call_duration_seconds_bucket{tool="bash",le="+Inf"}')).toBe(3)
  expect(samples.get('sandbox_slots_call_queue_seconds_count{tool="bash"}')).toBe(3)
})

test('output is counted whole, also where the answer is cut', async () => {
  const sandbox = await openSandbox({ isolation: 'none' })
  const { output } = await bash(sandbox, 'head -c 1000000 /dev/zero | tr "\\0" x; echo -n err >&2')
  expect(output.length).toBeLessThan(100_000)
  expect((await metricsOf(sandbox)).get('sandbox_slots_output_bytes_total{tool="bash"}')).toBe(1_000_003)
})

test('slots by state are as they are now', async () => {
  const { promise: started, resolve } = Promise.withResolvers<void>()
  const sandbox = await openSandbox({ isolation: 'none', slots: 3, onCall: () => resolve() })
  const running = bash(sandbox, 'sleep 60', { timeout: 1 })
  await started
  const samples = await metricsOf(sandbox)
  expect(samples.get('sandbox_slots_slots{state="executing"}')).toBe(1)
  expect(samples.get('sandbox_slots_slots{state="available"}')).toBe(2)
  await running
})

test('requests are counted by route and status, whatever is asked for', async () => {
  const sandbox = await openSandbox({ isolation: 'none', token: 'a-token-long-enough' })
  const headers = { authorization: 'Bearer a-token-long-enough' }
  for (const path of ['/nothing', '/here', '/health', '/metrics']) {
    await sandbox.handler(new Request(baseUrl + path, { headers }))
  }
  // Without the token it is closed.
  const refused = await sandbox.handler(new Request(`${baseUrl}/metrics`))
  expect(refused.status).toBe(401)
  expect(await refused.text()).not.toContain('sandbox_slots')
  const requests = [...(await metricsOf(sandbox, headers))].filter(([key]) => key.includes('http_requests'))
  expect(Object.fromEntries(requests)).toEqual({
    'sandbox_slots_http_requests_total{route="other",status="404"}': 2,
    'sandbox_slots_http_requests_total{route="/health",status="200"}': 1,
    'sandbox_slots_http_requests_total{route="/metrics",status="200"}': 1,
    'sandbox_slots_http_requests_total{route="/metrics",status="401"}': 1,
  })
})

test.skipIf(!hasBubblewrap)('sandboxes are counted: started, used, thrown away', async () => {
  const sandbox = await openSandbox({ slots: 1 })
  await bash(sandbox, 'true')
  await bash(sandbox, 'true')
  // The one that waits is of no use after a reset.
  await post(sandbox, '/reset', { slot_id: 'slot_0' })
  const now = () => metricsOf(sandbox)
  const ended = (how: string) => `sandbox_slots_sandboxes_ended_total{how="${how}"}`
  let samples = await now()
  await eventually(() => {
    void now().then((later) => {
      samples = later
    })
    return (samples.get(ended('unused')) ?? 0) > 0
  })
  expect(samples.get(ended('used'))).toBe(2)
  expect(samples.get(ended('failed'))).toBe(0)
  expect(samples.get('sandbox_slots_sandboxes_started_total')).toBeGreaterThanOrEqual(3)
})

test('the log tells what an operator needs, and no secret', async () => {
  const entries: LogEntry[] = []
  const token = 'a-token-long-enough'
  const sandbox = await openSandbox({ isolation: 'none', token, onLog: (entry) => entries.push(entry) })
  const send = (authorization: string, args: object) =>
    sandbox.handler(
      new Request(`${baseUrl}/execute?secret-query`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ slot_id: 'slot_0', tool: 'bash', execution_id: 'id-1', args }),
      }),
    )
  await send(`Bearer ${token}`, { command: 'echo secret-output; echo secret-error >&2; exit 3' })
  await send('Bearer wrong-secret-token', { command: 'true' })
  await sandbox.handler(
    new Request(`${baseUrl}/secret-path`, { headers: { authorization: `Bearer ${token}` } }),
  )
  await sandbox.stop()
  const told = entries.map(({ level, event, fields }) => [level, event, fields] as const)
  const call = { slot: 'slot_0', tool: 'bash', execution_id: 'id-1' }
  expect(told).toMatchObject([
    ['debug', 'call.started', call],
    ['debug', 'call.finished', { ...call, outcome: 'failed', output_bytes: 27 }],
    ['warn', 'request.refused', { method: 'POST', route: '/execute', status: 401 }],
    ['warn', 'request.refused', { method: 'GET', route: 'other', status: 404 }],
    ['info', 'server.stopping', { drain_timeout_ms: 0, executing: 0 }],
  ])
  for (const { time } of entries) expect(new Date(time).toISOString()).toBe(time)
  const text = JSON.stringify(entries)
  for (const secret of ['secret', token]) expect(text).not.toContain(secret)
})

test('a log that throws costs no call its result; its error is reported as uncaught', async () => {
  const server = join(import.meta.dir, '../../src/server/mod.ts')
  const script = `
    const { startSandboxServer } = await import(${JSON.stringify(server)})
    process.on('uncaughtException', (error) => console.log('uncaught', error.message))
    const onLog = ({ event }) => { throw new Error(event) }
    const server = await startSandboxServer({ slots: 1, isolation: 'none', onLog })
    const body = JSON.stringify({ slot_id: 'slot_0', tool: 'bash', args: { command: 'echo well' } })
    const answer = await fetch(server.url + '/execute', { method: 'POST', body: Buffer.from(body) })
    console.log((await answer.json()).output)
    await server.stop()`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe' })
  const lines = (await new Response(child.stdout).text()).trim().split('\n')
  expect(lines).toEqual([
    'uncaught server.started',
    'uncaught call.started',
    'uncaught call.finished',
    'well',
    'uncaught server.stopping',
    'uncaught server.stopped',
  ])
})
