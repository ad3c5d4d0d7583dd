/** What viewers get, who may be one, and what a slow one costs. */
import { describe, expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SandboxUsageError } from '../../mod.ts'
import { History } from '../../src/inspector/history.ts'
import { LiveSource } from '../../src/inspector/live-source.ts'
import { openTrace, startInspector } from '../../src/inspector/mod.ts'
import { checkedRecord } from '../../src/inspector/read-trace.ts'
import { redactor } from '../../src/inspector/redact.ts'
import { eventStream } from '../../src/inspector/streams.ts'
import { SystemState } from '../../src/inspector/system-state.ts'
import { executorWith, runSmallJob, traceAt } from './support.ts'

describe('options', () => {
  test.each([
    ['{"port":-1}', 'port'],
    ['{"port":70000}', 'port'],
    ['{"host":"0.0.0.0"}', 'host'],
    ['{"host":"example.org"}', 'host'],
    ['{"maxEvents":0}', 'maxEvents'],
    ['{"verbose":true}', 'verbose'],
    ['{"secrets":"abc"}', 'secrets'],
  ])('%s is refused by the name of its field', async (options, field) => {
    const failure = await startInspector(JSON.parse(options)).then(
      () => undefined,
      (error: unknown) => error,
    )
    expect(failure instanceof SandboxUsageError && failure.field).toBe(field)
  })

  test('a port that is taken is told in a sentence', async () => {
    await using first = await startInspector()
    const port = Number(new URL(first.url).port)
    expect(startInspector({ port })).rejects.toThrow(`Cannot show the inspector on 127.0.0.1:${port}`)
  })

  test('stop may be called twice', async () => {
    const inspector = await startInspector()
    await Promise.all([inspector.stop(), inspector.stop()])
    expect(fetch(inspector.url)).rejects.toThrow()
  })
})

describe('the door', () => {
  test('the page asks nobody for anything, and may not', async () => {
    await using inspector = await startInspector()
    const response = await fetch(inspector.url)
    const html = await response.text()
    const policy = response.headers.get('content-security-policy') ?? ''
    expect(policy).toStartWith("default-src 'none'; script-src 'sha256-")
    expect(policy).not.toContain('unsafe')
    expect(policy).toContain("frame-ancestors 'none'")
    expect(html.match(/(?:src|href)="[^"]*"/g)).toEqual(['href="/icon.svg"', 'href="#timeline"'])
    expect(html).not.toContain(' style="')
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  test.each([
    [{ host: 'evil.example' }, 403],
    [{ host: 'evil.example:80' }, 403],
    [{ host: '127.0.0.1.evil.example' }, 403],
    [{ origin: 'http://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ host: 'localhost' }, 200],
    [{ 'sec-fetch-site': 'same-origin' }, 200],
  ])('%p gets %d, on every path', async (headers, status) => {
    await using inspector = await startInspector()
    for (const path of ['/', '/trace.jsonl', '/icon.svg']) {
      const response = await fetch(new URL(path, inspector.url), { headers })
      await response.body?.cancel()
      expect(response.status).toBe(status)
    }
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('%s changes nothing: 405', async (method) => {
    await using inspector = await startInspector()
    const response = await fetch(inspector.url, { method, body: '{}' })
    expect(response.status).toBe(405)
  })

  test('other paths are not there', async () => {
    await using inspector = await startInspector()
    expect((await fetch(new URL('/../package.json', inspector.url))).status).toBe(404)
  })
})

describe('viewers', () => {
  test('one that comes late gets the state of all actors and the history', async () => {
    await using inspector = await startInspector()
    await using executor = executorWith(inspector.inspect)
    await runSmallJob(executor)
    const { header, records } = await traceAt(inspector.url)
    expect(header).toMatchObject({ version: 1, live: true })
    const state = new SystemState()
    for (const record of records) state.apply(record)
    expect(state.totals.outcomes).toEqual({ exited: 8 })
    expect(state.actors.map(({ chart }) => chart)).toEqual(['coordinator', 'slot', 'slot'])
  })

  test('steps come as they happen, after those that the viewer has', async () => {
    await using inspector = await startInspector()
    await using executor = executorWith(inspector.inspect)
    await runSmallJob(executor)
    const before = (await traceAt(inspector.url)).records.at(-1)?.n ?? 0
    const gone = new AbortController()
    const response = await fetch(new URL(`/events?after=${before + 1}`, inspector.url), {
      signal: gone.signal,
    })
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    await runSmallJob(executor, 'http://127.0.0.1:4001')
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      if (text.includes('post.drained')) break
    }
    gone.abort()
    const first = /^id: (\d+)\ndata: (\[.*\])$/m.exec(text)
    const [record] = JSON.parse(first?.[2] ?? '[]')
    expect(checkedRecord(record, 'It').n).toBe(before + 1)
  })

  test('one that came before anything happened misses nothing', async () => {
    const history = new History({ maxRecords: 2_000, maxBytes: 10_000_000 })
    const source = new LiveSource(history, redactor(), 0, true)
    const [, first = ''] = source.trace()
    const { n } = checkedRecord(JSON.parse(first), 'It')
    history.push({ kind: 'actor', n: 0, ms: 0, actor: 0, id: 'lamp', chart: 'lamp', state: 'off' }, 100)
    const reader = eventStream(source, n + 1, new AbortController().signal).getReader()
    expect(await framesOf(reader, 1)).toEqual([[expect.objectContaining({ n: 0, id: 'lamp' })]])
    await reader.cancel()
  }, 10_000)

  test('one that does not read is told the rest as one state, and costs nothing meanwhile', async () => {
    const history = new History({ maxRecords: 2_000, maxBytes: 10_000_000 })
    const source = new LiveSource(history, redactor(), 0, true)
    history.push({ kind: 'actor', n: 0, ms: 0, actor: 0, id: 'lamp', chart: 'lamp', state: 'off' }, 100)
    const reader = eventStream(source, 0, new AbortController().signal).getReader()
    await reader.read()
    const flip = (n: number) => {
      const state = n % 2 === 0 ? 'off' : 'on'
      history.push(
        { kind: 'step', n, ms: n, actor: 0, event: 'flip', edges: ['lamp flip'], actions: [], state },
        100,
      )
    }
    for (let n = 1; n <= 5_000; n += 1) flip(n)
    const [event] = await framesOf(reader, 1)
    const records = event?.map((line) => checkedRecord(line, 'It')) ?? []
    expect(records.length).toBe(1)
    expect(records[0]).toMatchObject({
      kind: 'state',
      n: 5_000,
      edges: { 'lamp flip': 5_000 },
      totals: { steps: 5_000 },
    })
    for (let n = 5_001; n <= 6_500; n += 1) flip(n)
    const [next] = await framesOf(reader, 1)
    expect(next?.length).toBe(1_001)
    expect(next?.at(-1)).toMatchObject({ kind: 'state', n: 6_500, actors: [{ state: 'off', n: 6_500 }] })
  })
})

describe('openTrace', () => {
  async function exported(): Promise<string> {
    await using inspector = await startInspector()
    await using executor = executorWith(inspector.inspect)
    await runSmallJob(executor)
    const file = join(tmpdir(), `trace-${crypto.randomUUID()}.jsonl`)
    await Bun.write(file, await fetch(new URL('/trace.jsonl', inspector.url)))
    return file
  }

  test('serves what was recorded', async () => {
    const file = await exported()
    await using page = await openTrace(file)
    const { header, records } = await traceAt(page.url)
    expect(header.live).toBe(false)
    const state = new SystemState()
    for (const record of records) state.apply(record)
    expect(state.totals.outcomes).toEqual({ exited: 8 })
    await Bun.file(file).delete()
  })

  test.each([
    ['/nowhere/trace.jsonl', 'Cannot open /nowhere/trace.jsonl: '],
    [new URL('../../package.json', import.meta.url).pathname, 'This is no trace'],
  ])('%s is refused in a sentence', (file, message) => {
    expect(openTrace(file)).rejects.toThrow(message)
  })
})

/** The next events of a stream that have data. */
async function framesOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  count: number,
): Promise<unknown[][]> {
  const frames: unknown[][] = []
  while (frames.length < count) {
    const { value, done } = await reader.read()
    if (done) break
    const data = /^data: (\[.*\])$/m.exec(new TextDecoder().decode(value))?.[1]
    const lines: unknown = data === undefined ? undefined : JSON.parse(data)
    if (Array.isArray(lines)) frames.push(lines)
  }
  return frames
}
