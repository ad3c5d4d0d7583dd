/**
 * A base-level server behind a proxy that breaks connections at any byte of request and answer. The witness is a file
 * outside the server, to which each command appends its executionId. `FAULT_STEP=1` takes every offset.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExecutionResult, type Fetch, SandboxExecutor } from '../../mod.ts'
import { type Direction, type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { type RealServer, startRealServer } from '../support/real-server.ts'
import { executionsIn } from './extended-histories.ts'

const step = Number(process.env.FAULT_STEP ?? 53)
const timeoutMs = 1_000
const directory = mkdtempSync(join(tmpdir(), 'sandbox-slots-witness-'))
const witness = join(directory, 'witness')
let server: RealServer

/** The client's deadlines pass four times as fast, so that a stall does not take six seconds. */
const fastClock = {
  now: () => performance.now() * 4,
  setTimeout: (task: () => void, ms: number) => setTimeout(task, ms / 4),
  clearTimeout: (timer: unknown) => clearTimeout(timer as Timer),
}

beforeAll(async () => {
  server = await startRealServer({ slots: 4, level: 'base' })
  appendFileSync(witness, '')
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true })
})

interface History {
  readonly fault: Fault
  readonly results: readonly ExecutionResult[]
  /** Posts that held the call, as the client tells. */
  readonly posts: ReadonlyMap<string, number>
}

/** One execution, or a batch of two, through one fault. */
async function run(fault: Fault, fresh: boolean, calls: 1 | 2): Promise<History> {
  await using proxy = await startFaultProxy({
    target: server.url,
    plan: { request: ({ method }) => (method === 'POST' ? fault : { kind: 'none' }) },
  })
  const posts = new Map<string, number>()
  const oneShot: Fetch = (request) => fetch(request, { keepalive: false })
  await using executor = new SandboxExecutor(
    {
      retry: { delayMs: 1 },
      timeoutMs,
      ...(fresh ? { fetch: oneShot } : {}),
      onEvent: (event) => {
        if (event.type === 'call.posted')
          posts.set(event.executionId, (posts.get(event.executionId) ?? 0) + 1)
      },
    },
    { clock: fastClock },
  )
  const slots = executor.slots(proxy.url, 4).slice(0, calls)
  const results = await executor.executeBatch(
    slots.map((slot) => {
      const executionId = crypto.randomUUID()
      const command = `echo ${executionId} >> '${witness}'`
      return { slot, tool: 'bash', args: { command }, executionId }
    }),
  )
  return { fault, results, posts }
}

/** Every kind of cut, at every `step`-th byte of what one exchange has. */
function cuts(direction: Direction, bytes: number): Fault[] {
  const offsets = Array.from({ length: Math.ceil(bytes / step) }, (_, index) => index * step)
  return offsets.flatMap((at) =>
    (['reset', 'close', 'stall'] as const).map((kind) => ({ kind, in: direction, at })),
  )
}

/** What is not as promised: rows 3, 5 and 7. */
function violations(histories: readonly History[]): string[] {
  const ran = executionsIn(witness)
  return histories.flatMap(({ fault, results, posts }) =>
    results.flatMap(({ executionId, outcome, failure }) => {
      const count = ran.get(executionId) ?? 0
      const told = `${JSON.stringify(fault)}: ${outcome} (${failure?.code}), ran ${count} times`
      const once = outcome === 'exited' || outcome === 'timed-out'
      const truthful = once ? count === 1 : outcome === 'not-run' ? count === 0 : count <= 1
      const posted = posts.get(executionId) ?? 0
      return [...(truthful ? [] : [told]), ...(posted <= 1 ? [] : [`${told}, was posted ${posted} times`])]
    }),
  )
}

async function exhaust(faults: readonly Fault[], fresh: boolean, calls: 1 | 2): Promise<History[]> {
  const histories: History[] = []
  const width = 40
  for (let at = 0; at < faults.length; at += width) {
    histories.push(
      ...(await Promise.all(faults.slice(at, at + width).map((fault) => run(fault, fresh, calls)))),
    )
  }
  return histories
}

describe.each([
  ['fresh sockets, one call', true, 1],
  ['reused sockets, one call', false, 1],
  ['reused sockets, a batch', false, 2],
] as const)('cuts, base server, %s (promises 3, 5, 7)', (_, fresh, calls) => {
  test.each(['request', 'response'] as const)(
    'at every offset of the %s: told truthfully, posted once',
    async (direction) => {
      const histories = await exhaust(cuts(direction, direction === 'request' ? 900 : 1_300), fresh, calls)
      expect(violations(histories)).toEqual([])
      const outcomes = new Set(histories.flatMap(({ results }) => results.map((result) => result.outcome)))
      expect(outcomes).toContain('exited')
      expect(outcomes).toContain('unknown')
    },
    600_000,
  )
})

test('garbled and dripping answers are told as what they are', async () => {
  const faults: Fault[] = Array.from({ length: 8 }, (_, index) => ({
    kind: 'garble',
    in: 'response',
    at: index * 60,
  }))
  const histories = await exhaust(faults, true, 2)
  expect(violations(histories)).toEqual([])
  const dripping = await exhaust([{ kind: 'drip', in: 'response', at: 0 }], true, 2)
  expect(dripping[0]?.results.map((result) => result.outcome)).toEqual(['exited', 'exited'])
}, 60_000)
