/** Calls to an extended server through a proxy that breaks things, and what must hold of them. */
import { type ExecutionResult, type Fetch, SandboxExecutor } from '../../mod.ts'
import { startExtendedServer } from '../support/extended-server.ts'
import { type Direction, type Fault, startFaultProxy } from '../support/fault-proxy.ts'

const timeoutMs = 1_000

/** The client's times pass ten times as fast, so that stalls and pauses do not take seconds. */
export const fastClock = {
  now: () => performance.now() * 10,
  setTimeout: (task: () => void, ms: number) => setTimeout(task, ms / 10),
  clearTimeout: (timer: unknown) => clearTimeout(timer as Timer),
}

export interface History {
  readonly fault: Fault
  readonly results: readonly ExecutionResult[]
  /** How often each call ran, by the witness. */
  readonly ran: readonly number[]
}

export interface Setting {
  /** A new connection for each request. */
  readonly fresh: boolean
  readonly calls: number
  /** The server is another one after the first POST. */
  readonly replacedBy?: 'base' | 'empty'
}

/** A batch through one fault, which strikes its first POST. */
async function run(fault: Fault, { fresh, calls, replacedBy }: Setting): Promise<History> {
  await using server = startExtendedServer({ run: ({ args }) => ({ output: `ran ${String(args.command)}` }) })
  let posts = 0
  await using proxy = await startFaultProxy({
    target: server.url,
    plan: {
      request: ({ method }) => {
        if (method === 'POST') posts += 1
        return method === 'POST' && posts === 1 ? fault : undefined
      },
    },
  })
  const oneShot: Fetch = (request) => fetch(request, { keepalive: false })
  await using executor = new SandboxExecutor(
    {
      timeoutMs: fault.kind === 'stall' ? timeoutMs : timeoutMs * 60,
      retry: { delayMs: 100 },
      ...(fresh ? { fetch: oneShot } : {}),
      onEvent: ({ type }) => {
        if (type === 'retry.scheduled' && replacedBy !== undefined) server.replace(replacedBy)
      },
    },
    { clock: fastClock },
  )
  const slots = executor.slots(proxy.url, calls)
  const results = await executor.executeBatch(
    slots.map((slot) => {
      const executionId = crypto.randomUUID()
      return { slot, tool: 'bash', args: { command: executionId }, executionId }
    }),
  )
  return { fault, results, ran: results.map(({ executionId }) => server.ran(executionId)) }
}

/** Every kind of cut, at every `step`-th byte of what one exchange has. */
export function cuts(direction: Direction, bytes: number, step: number): Fault[] {
  const offsets = Array.from({ length: Math.ceil(bytes / step) }, (_, index) => index * step)
  return offsets.flatMap((at) => (['reset', 'close'] as const).map((kind) => ({ kind, in: direction, at })))
}

export async function exhaust(faults: readonly Fault[], setting: Setting): Promise<History[]> {
  const histories: History[] = []
  const width = 40
  for (let at = 0; at < faults.length; at += width) {
    histories.push(...(await Promise.all(faults.slice(at, at + width).map((fault) => run(fault, setting)))))
  }
  return histories
}

/** What is not as promised: rows 1, 3 and 7. `ranOf` is the witness. */
export function violationsOf(
  results: readonly ExecutionResult[],
  ranOf: (result: ExecutionResult, index: number) => number,
): string[] {
  return results.flatMap((result, index) => {
    const { executionId, outcome, output, failure } = result
    const count = ranOf(result, index)
    const once = outcome === 'exited' || outcome === 'timed-out'
    const isTruthful = once ? count === 1 : outcome === 'not-run' ? count === 0 : count <= 1
    const isOwn = outcome !== 'exited' || output === `ran ${executionId}`
    if (isTruthful && isOwn) return []
    return [`${outcome} (${failure?.message}), ran ${count} times: ${output}`]
  })
}

export function violations(histories: readonly History[]): string[] {
  return histories.flatMap(({ fault, results, ran }) =>
    violationsOf(results, (_, index) => ran[index] ?? 0).map((told) => `${JSON.stringify(fault)}: ${told}`),
  )
}

export function outcomesOf(histories: readonly History[]): string[] {
  return [...new Set(histories.flatMap(({ results }) => results.map(({ outcome }) => outcome)))].sort()
}
