/**
 * Promise 5: calls to a base server whose connections are cut, which refuses at times, and is away at others. What leaves
 * is counted outside the client, in its `fetch`; what ran by the server. `bun tests/campaign/single-posts.ts [calls]`
 */
import * as v from 'valibot'
import { type Fetch, SandboxExecutor } from '../../mod.ts'
import { bodyTooLarge } from '../../src/protocol/routes.ts'
import { type BasePost, startBaseServer } from '../support/base-server.ts'
import { fastClock } from '../support/fast-clock.ts'
import { type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { pick, randomOf } from '../support/random.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'

const slots = 32
/** Nobody else listens here when the proxy does not. */
const host = '127.0.5.5'
const item = v.object({ execution_id: v.string() })

/** The answers of a server that does not run what came; after the first three a call may be posted again. */
const refusals: readonly [() => Response, ...(() => Response)[]] = [
  () => new Response('busy', { status: 429, headers: { 'retry-after': '0.2' } }),
  () => new Response('later', { status: 408 }),
  () => Response.json({ success: false, error: bodyTooLarge }, { status: 500 }),
  () => Response.json({ success: false, error: 'no' }, { status: 400 }),
  () => new Response('no', { status: 500 }),
  () => new Response('away', { status: 503, headers: { 'retry-after': '0.1' } }),
]

/** Counts each call's POSTs, and whether one was made after another that may have run it. */
class Ledger {
  posts = 0
  again = 0
  readonly violations: string[] = []
  readonly #posted = new Set<string>()
  /** Calls that may have run, and why. */
  readonly #closed = new Map<string, string>()

  readonly fetch: Fetch = async (request) => {
    if (request.method !== 'POST') return fetch(request)
    this.posts += 1
    const body: unknown = JSON.parse(await request.clone().text())
    const ids = v.parse(v.array(item), Array.isArray(body) ? body : [body]).map((each) => each.execution_id)
    for (const id of ids) {
      if (this.#posted.has(id)) this.again += 1
      this.#posted.add(id)
      const reason = this.#closed.get(id)
      if (reason !== undefined) this.violations.push(`${id} was posted again after ${reason}`)
    }
    const close = (reason: string) => {
      for (const id of ids) this.#closed.set(id, reason)
    }
    try {
      const response = await fetch(request)
      const text = await response.clone().text()
      const isProof = (response.status >= 400 && response.status < 500) || text.includes(bodyTooLarge)
      if (!isProof) close(`status ${response.status}`)
      return response
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : error
      // No connection was made.
      if (code !== 'ConnectionRefused' && code !== 'ECONNREFUSED') close(String(code))
      throw error
    }
  }
}

function faultOf(random: () => number): Fault {
  const at = Math.floor(random() * 500)
  const kind = pick(random, ['reset', 'close', 'stall'] as const)
  return pick<Fault>(random, [
    { kind, in: 'request', at },
    { kind, in: 'response', at },
    { kind: 'reset', in: 'connect' },
  ])
}

export const singlePosts: Check = {
  name: 'single-posts',
  row: '5',
  unit: 'calls',
  sizes: { full: 5_000, quick: 600 },
  run: async (calls) => {
    const random = randomOf(5)
    const refuse = (_: BasePost) => (random() < 0.1 ? pick(random, refusals)() : undefined)
    await using server = startBaseServer({ slots, refuse })
    const strike = () => (random() < 0.1 ? faultOf(random) : undefined)
    await using proxy = await startFaultProxy({ target: server.url, host, plan: { request: strike } })
    const ledger = new Ledger()
    await using executor = new SandboxExecutor(
      { timeoutMs: 2_000, retry: { delayMs: 100 }, batching: { maxCalls: 8 }, fetch: ledger.fetch },
      { clock: fastClock(20) },
    )
    let isOver = false
    const away = async () => {
      while (!isOver) {
        await Bun.sleep(300 + random() * 300)
        await proxy.refuse()
        await Bun.sleep(20)
        await proxy.accept()
      }
    }
    const comesAndGoes = away()
    let started = 0
    const results = executor.slots(proxy.url, slots).map(async (slot) => {
      const mine = []
      while (started < calls) {
        started += 1
        mine.push(await executor.execute(slot, 'bash', { command: 'x' }))
        // Somebody reads the result.
        await Bun.sleep(random() * 20)
      }
      return mine
    })
    const settled = (await Promise.all(results)).flat()
    isOver = true
    await comesAndGoes
    const ranOf = (id: string) => server.executions.get(id) ?? 0
    const twice = settled.filter(({ executionId }) => ranOf(executionId) > 1)
    const untrue = settled.filter(({ outcome, executionId }) => {
      const ran = ranOf(executionId)
      return outcome === 'exited' ? ran !== 1 : outcome === 'not-run' ? ran !== 0 : ran > 1
    })
    const outcomes = Map.groupBy(settled, ({ outcome }) => outcome)
    const told = [...outcomes].map(([outcome, { length }]) => `${length} ${outcome}`).join(', ')
    return {
      done: `${settled.length} calls in ${ledger.posts} POSTs, a fifth of them cut or refused, the server away at times: ${told}`,
      figures: [
        exactly('posted again without proof', ledger.violations.length, 0),
        exactly('ran twice', twice.length, 0),
        exactly('told untruly', untrue.length, 0),
        atLeast('posted again with proof', ledger.again, 1),
      ],
      wrongs: [...ledger.violations, ...untrue.map((result) => JSON.stringify(result))],
    }
  },
}

if (import.meta.main) await runAlone(singlePosts)
