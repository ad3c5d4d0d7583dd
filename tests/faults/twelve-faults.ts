/** Calls to our own server through a proxy that breaks some requests, in twelve ways; a witness outside the server. */
import { type ExecutionResult, SandboxExecutor } from '../../mod.ts'
import { fastClock } from '../support/fast-clock.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { randomOf } from '../support/random.ts'
import { startRealServer } from '../support/real-server.ts'
import { Witness } from '../support/witness.ts'
import { violationsOf } from './extended-histories.ts'

const slots = 32
const timeoutMs = 30_000

type MakeFault = (at: number) => Fault

/** Each strikes after so many bytes of its message; what arrives is what was sent. */
export const trueKinds: readonly [MakeFault, ...MakeFault[]] = [
  () => ({ kind: 'reset', in: 'connect' }),
  (at) => ({ kind: 'reset', in: 'request', at }),
  (at) => ({ kind: 'close', in: 'request', at }),
  (at) => ({ kind: 'stall', in: 'request', at }),
  (at) => ({ kind: 'reset', in: 'response', at }),
  (at) => ({ kind: 'close', in: 'response', at }),
  (at) => ({ kind: 'stall', in: 'response', at }),
  (at) => ({ kind: 'delay', in: 'response', at, ms: 50 }),
  (at) => ({ kind: 'drip', in: 'response', at, bytes: 100 }),
]

/** With those that alter what arrives. */
export const kinds: readonly MakeFault[] = [
  ...trueKinds,
  (at) => ({ kind: 'truncate', in: 'response', at, bytes: 7 }),
  (at) => ({ kind: 'duplicate', in: 'response', at, bytes: 7 }),
  (at) => ({ kind: 'garble', in: 'response', at }),
]

export interface Campaign {
  readonly calls: number
  /** The share of requests that are struck. */
  readonly rate: number
  readonly seed: number
}

export interface Report {
  readonly requests: number
  readonly struck: number
  /** By kind, as many as there are kinds. */
  readonly byKind: readonly number[]
  readonly outcomes: ReadonlyMap<string, number>
  /** Why calls were not told how they ended. */
  readonly reasons: readonly string[]
  /** What is not as promised. */
  readonly violations: readonly string[]
  /** Calls that ran more than once, by the witness. */
  readonly duplicates: number
  /** Results whose bytes the proxy has altered in a way that no framing shows: TCP does not do that. */
  readonly altered: number
  /** By how much the last call to settle was behind its deadline, or, below 0, before it. */
  readonly lateMs: number
}

export async function runCampaign({ calls, rate, seed }: Campaign): Promise<Report> {
  using witness = new Witness()
  const random = randomOf(seed)
  const byKind = kinds.map(() => 0)
  const strike = (index: number): Fault | undefined => {
    byKind[index] = (byKind[index] ?? 0) + 1
    return kinds[index]?.(Math.floor(random() * 700))
  }
  // Connections are few: they are used again, and made anew after a cut.
  const onConnection = () => (random() < rate * 3 ? strike(0) : undefined)
  const onRequest = () =>
    random() < rate ? strike(1 + Math.floor(random() * (kinds.length - 1))) : undefined
  await using server = await startRealServer({ slots, level: 'extended' })
  await using proxy = await startFaultProxy({
    target: server.url,
    plan: { connection: onConnection, request: onRequest },
  })
  await using executor = new SandboxExecutor(
    { timeoutMs, retry: { attempts: 20, delayMs: 200, maxDelayMs: 1_000 }, batching: { maxCalls: 4 } },
    { clock: fastClock(10) },
  )
  const mine = executor.slots(proxy.url, slots)
  const results = (
    await Promise.all(
      mine.map((slot, index) => {
        const share = Math.floor(calls / slots) + (index < calls % slots ? 1 : 0)
        return Promise.all(
          Array.from({ length: share }, () => {
            const executionId = crypto.randomUUID()
            const command = witness.command(executionId, `echo ran ${executionId}`)
            return executor.execute(slot, 'bash', { command }, { executionId })
          }),
        )
      }),
    )
  ).flat()
  return reportOf(results, witness, { requests: proxy.requests.length, byKind })
}

function reportOf(
  results: readonly ExecutionResult[],
  witness: Witness,
  counts: Pick<Report, 'requests' | 'byKind'>,
): Report {
  const ran = witness.counts()
  const outcomes = new Map<string, number>()
  for (const { outcome } of results) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
  const isAltered = ({ executionId, outcome, output }: ExecutionResult) =>
    outcome === 'exited' && output !== `ran ${executionId}` && !ran.has(output.slice('ran '.length))
  const intact = results.filter((result) => !isAltered(result))
  const longest = results.reduce((most, { timing }) => Math.max(most, timing.wireMs), 0)
  return {
    ...counts,
    struck: counts.byKind.reduce((sum, count) => sum + count, 0),
    outcomes,
    duplicates: results.filter(({ executionId }) => (ran.get(executionId) ?? 0) > 1).length,
    reasons: results.flatMap(({ failure }) => (failure === undefined ? [] : [failure.message])),
    altered: results.length - intact.length,
    // The client's clock is ten times as fast.
    lateMs: (longest - timeoutMs - 5_000) / 10,
    violations: violationsOf(intact, ({ executionId }) => ran.get(executionId) ?? 0),
  }
}
