/**
 * Promise 6: 1,000 calls to a container that is away, in each of several ways, known before or not: how often it is asked,
 * and that all calls settle; pauses that grow; Retry-After. What comes is counted outside the client.
 * `bun tests/campaign/outages.ts [calls]`
 */
import { type ExecutionResult, type Fetch, SandboxExecutor } from '../../mod.ts'
import { startBaseServer } from '../support/base-server.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { atLeast, atMost, type Check, exactly, type Figure, runAlone } from './check.ts'

const attempts = 4
const delayMs = 100
/** Nobody else listens here when the proxy does not. */
const host = '127.0.6.6'

interface Outage {
  readonly results: readonly ExecutionResult[]
  /** When the container was asked, from when it was known that it is away; first of all the request that told it. */
  readonly askedAt: readonly number[]
  /** Requests that were on their way before that. */
  readonly before: number
}

/** `cut`: connections are made, and reset at once. `refused`: nobody listens. */
async function outage(how: 'refused' | 'cut', isKnown: boolean, calls: number): Promise<Outage> {
  const askedAt: number[] = []
  let [isAway, before] = [false, 0]
  const counting: Fetch = async (request) => {
    const now = performance.now()
    if (isAway) askedAt.push(now)
    else before += 1
    try {
      return await fetch(request)
    } catch (error) {
      if (!isAway) askedAt.push(now)
      isAway = true
      throw error
    }
  }
  await using server = startBaseServer({ slots: calls })
  await using proxy = await startFaultProxy({ target: server.url, host })
  // All leave in one tick: a call that comes when the first has failed has attempts of its own.
  const batching = { maxCalls: 2 * calls }
  await using executor = new SandboxExecutor({ retry: { attempts, delayMs }, batching, fetch: counting })
  const slots = executor.slots(proxy.url, calls)
  if (isKnown) await executor.execute(slots[0], 'bash', { command: 'x' })
  proxy.setPlan(how === 'cut' ? () => ({ kind: 'reset', in: 'connect' }) : [])
  await proxy.refuse()
  if (how === 'cut') await proxy.accept()
  before = 0
  const results = await Promise.all(slots.map((slot) => executor.execute(slot, 'bash', { command: 'x' })))
  return { results, askedAt, before }
}

/** A server that is there and refuses: when the POSTs came, and what became of the call. */
async function refusal(retryAfter: string) {
  const postedAt: number[] = []
  const refuse = () => {
    postedAt.push(performance.now())
    return new Response('busy', { status: 429, headers: { 'retry-after': retryAfter } })
  }
  await using server = startBaseServer({ refuse })
  await using executor = new SandboxExecutor({ timeoutMs: 1_000, retry: { attempts: 3, delayMs: 1 } })
  const begin = performance.now()
  const result = await executor.execute(executor.slots(server.url, 1)[0], 'bash', { command: 'x' })
  return { result, postedAt, ms: performance.now() - begin }
}

export const outages: Check = {
  name: 'outages',
  row: '6',
  unit: 'calls',
  sizes: { full: 1_000, quick: 1_000 },
  run: async (calls) => {
    const figures: Figure[] = []
    const wrongs: string[] = []
    const told: string[] = []
    const gaps: number[][] = []
    for (const [how, isKnown] of [
      ['refused', false],
      ['refused', true],
      ['cut', false],
      ['cut', true],
    ] as const) {
      const { results, askedAt, before } = await outage(how, isKnown, calls)
      const name = `connections ${how}, container ${isKnown ? 'known' : 'new'}`
      // A container that is known has all posts of one tick on their way when the first of them fails.
      if (isKnown) told.push(`${before} POSTs were on their way, ${name}`)
      else figures.push(atMost(`requests before one had failed, ${name}`, before, 1))
      figures.push(atMost(`requests one after the other, ${name}`, askedAt.length, attempts))
      figures.push(exactly(`calls settled, ${name}`, results.length, calls))
      // What was on a connection that was cut may have run.
      const isTrue = ({ outcome }: ExecutionResult) =>
        outcome === 'not-run' || (outcome === 'unknown' && how === 'cut' && isKnown)
      const untrue = results.filter((result) => !isTrue(result))
      wrongs.push(...untrue.slice(0, 2).map((result) => `${name}: ${JSON.stringify(result)}`))
      const times = askedAt.slice(1).map((time, index) => time - (askedAt[index] ?? 0))
      if (how === 'refused' && !isKnown) gaps.push(times)
    }
    const [pauses = []] = gaps
    for (const [index, pause] of pauses.entries())
      figures.push(atLeast(`ms of pause ${index + 1}`, pause, delayMs * (index + 1) * 0.75))
    const hour = await refusal('3600')
    figures.push(exactly('POSTs, Retry-After: 3600', hour.postedAt.length, 1))
    figures.push(atMost('ms until it settles, Retry-After: 3600', hour.ms, 6_250))
    if (hour.result.outcome !== 'not-run') wrongs.push(`Retry-After: 3600: ${hour.result.outcome}`)
    const second = await refusal('1')
    figures.push(exactly('POSTs, Retry-After: 1', second.postedAt.length, 3))
    const [first = 0, next = 0] = second.postedAt
    figures.push(atLeast('ms until the second, Retry-After: 1', next - first, 1_000))
    told.push(`pauses of ${pauses.map((pause) => pause.toFixed(0)).join(', ')} ms`)
    return {
      done: `${calls} calls at once in four total outages, ${attempts} attempts each; ${told.join('; ')}`,
      figures,
      wrongs,
    }
  },
}

if (import.meta.main) await runAlone(outages)
