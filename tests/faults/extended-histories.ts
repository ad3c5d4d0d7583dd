/** Calls to an extended server through a proxy that breaks things, and what must hold of them. */
import { type ExecutionResult, type Fetch, SandboxExecutor } from '../../mod.ts'
import { startExtendedServer } from '../support/extended-server.ts'
import type { EndingFault } from '../support/fault-plan.ts'
import { type Direction, type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { PatientClock } from '../support/patient-clock.ts'
import { startRealServer } from '../support/real-server.ts'
import { Witness } from '../support/witness.ts'

/** So many faults at a time. */
const width = 40

/** A client whose connections only break waits for nothing but these pauses. */
const usual = { timeoutMs: 60_000, retry: { delayMs: 10 } }

export interface History {
  readonly fault: Fault
  readonly results: readonly ExecutionResult[]
  /** How often each call ran, by the witness. */
  readonly ran: readonly number[]
  /** Of the longest message that passed the proxy. */
  readonly bytes: Readonly<Record<Direction, number>>
}

/** A server, and the witness of what has run on it. */
export interface Ground extends AsyncDisposable {
  readonly url: string
  /** Whether it runs a call. */
  readonly isBusy: boolean
  /** What to run, so that the witness sees it and it prints `ran` and its id. */
  command(executionId: string): string
  /** Executions by their id. */
  ran(): ReadonlyMap<string, number>
  replace?(by: 'base' | 'empty'): void
}

export interface Setting {
  /** A new connection for each request. */
  readonly fresh: boolean
  readonly calls: number
  /** The server is another one after the first POST. */
  readonly replacedBy?: 'base' | 'empty'
  /** Default: an extended server in memory, for each fault one. */
  readonly ground?: () => Ground
}

/** The witness is what its calls run, not the server. */
function inMemory(): Ground {
  const ran = new Map<string, number>()
  const server = startExtendedServer({
    run: ({ args }) => {
      const id = String(args.command)
      ran.set(id, (ran.get(id) ?? 0) + 1)
      return { output: `ran ${id}` }
    },
  })
  return {
    url: server.url,
    isBusy: false,
    command: (executionId) => executionId,
    ran: () => ran,
    replace: (by) => server.replace(by),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** Our own server, for any number of faults that strike batches of up to two calls; each command appends its id to a file. */
export async function startOwn(): Promise<AsyncDisposable & { readonly ground: Ground }> {
  const witness = new Witness()
  const server = await startRealServer({ slots: width * 2, level: 'extended' })
  const ground: Ground = {
    url: server.url,
    get isBusy() {
      return server.running > 0
    },
    command: (id) => witness.command(id, `echo ran ${id}`),
    ran: () => witness.counts(),
    // It is for other faults too.
    [Symbol.asyncDispose]: async () => {},
  }
  return {
    ground,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      witness[Symbol.dispose]()
    },
  }
}

/** A batch through one fault, which strikes its first POST. Each lane has slots of its own: none waits for another. */
async function run(fault: Fault, setting: Setting, lane: number): Promise<History> {
  const { fresh, calls, replacedBy } = setting
  await using ground = (setting.ground ?? inMemory)()
  let posts = 0
  await using proxy = await startFaultProxy({
    target: ground.url,
    plan: {
      request: ({ method }) => {
        if (method === 'POST') posts += 1
        return method === 'POST' && posts === 1 ? fault : undefined
      },
    },
  })
  const oneShot: Fetch = (request) => fetch(request, { keepalive: false })
  // After a stall a client waits for its time to pass.
  let activity = 0
  using clock = new PatientClock(() => {
    if (ground.isBusy) activity += 1
    return proxy.requests.reduce((sum, each) => sum + each.requestBytes + each.responseBytes, activity)
  })
  await using executor = new SandboxExecutor(
    {
      ...usual,
      ...(fresh ? { fetch: oneShot } : {}),
      onEvent: (event) => {
        const isCut = event.type === 'link.changed' && event.from === 'up'
        if (isCut && replacedBy !== undefined) ground.replace?.(replacedBy)
      },
    },
    fault.kind === 'stall' ? { clock } : {},
  )
  const slots = executor.slots(proxy.url, (lane + 1) * calls).slice(lane * calls)
  const results = await executor.executeBatch(
    slots.map((slot) => {
      const executionId = crypto.randomUUID()
      return { slot, tool: 'bash', args: { command: ground.command(executionId) }, executionId }
    }),
  )
  const ran = ground.ran()
  const most = (key: 'requestBytes' | 'responseBytes') =>
    Math.max(...proxy.requests.map((request) => request[key]))
  return {
    fault,
    results,
    ran: results.map(({ executionId }) => ran.get(executionId) ?? 0),
    bytes: { request: most('requestBytes'), response: most('responseBytes') },
  }
}

/** These kinds of cuts, at every `step`-th byte of what one exchange has. */
export function cuts(
  kinds: readonly EndingFault['kind'][],
  direction: Direction,
  bytes: number,
  step: number,
): Fault[] {
  const offsets = Array.from({ length: Math.ceil(bytes / step) }, (_, index) => index * step)
  return offsets.flatMap((at) => kinds.map((kind) => ({ kind, in: direction, at })))
}

export async function exhaust(faults: readonly Fault[], setting: Setting): Promise<History[]> {
  const histories: History[] = []
  for (let at = 0; at < faults.length; at += width) {
    histories.push(
      ...(await Promise.all(faults.slice(at, at + width).map((fault, lane) => run(fault, setting, lane)))),
    )
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

/** The longest message: whoever takes every offset must go beyond it. */
export function longest(histories: readonly Pick<History, 'bytes'>[], direction: Direction): number {
  return Math.max(...histories.map(({ bytes }) => bytes[direction]))
}

export function outcomesOf(histories: readonly Pick<History, 'results'>[]): string[] {
  return [...new Set(histories.flatMap(({ results }) => results.map(({ outcome }) => outcome)))].sort()
}
