/** Calls to a base-level server through a proxy that breaks things, and what must hold of them. */
import { type ExecutionResult, type Fetch, SandboxExecutor } from '../../mod.ts'
import { fastClock } from '../support/fast-clock.ts'
import { type Direction, type Fault, startFaultProxy } from '../support/fault-proxy.ts'
import { type RealServer, startRealServer } from '../support/real-server.ts'
import { Witness } from '../support/witness.ts'

/** With it a stall does not take six seconds. */
const clock = fastClock(4)
const timeoutMs = 1_000

export interface BaseHistory {
  readonly fault: Fault
  readonly results: readonly ExecutionResult[]
  /** Posts that held the call, as the client tells. */
  readonly posts: ReadonlyMap<string, number>
  /** Of the longest message that passed the proxy. */
  readonly bytes: Readonly<Record<Direction, number>>
}

export interface BaseSetting {
  /** A new connection for each request. */
  readonly fresh: boolean
  readonly calls: 1 | 2
}

/** A base-level server for any number of faults; the witness is a file outside it. */
export class BaseGround implements AsyncDisposable {
  readonly #server: RealServer
  readonly #witness = new Witness()

  private constructor(server: RealServer) {
    this.#server = server
  }

  static async start(): Promise<BaseGround> {
    return new BaseGround(await startRealServer({ slots: 4, level: 'base' }))
  }

  async exhaust(faults: readonly Fault[], setting: BaseSetting): Promise<BaseHistory[]> {
    const histories: BaseHistory[] = []
    const width = 40
    for (let at = 0; at < faults.length; at += width) {
      const side = faults.slice(at, at + width).map((fault) => this.#run(fault, setting))
      histories.push(...(await Promise.all(side)))
    }
    return histories
  }

  /** What is not as promised: rows 3, 5 and 7. */
  violations(histories: readonly BaseHistory[]): string[] {
    const ran = this.#witness.counts()
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

  /** One execution, or a batch of two, through one fault. */
  async #run(fault: Fault, { fresh, calls }: BaseSetting): Promise<BaseHistory> {
    await using proxy = await startFaultProxy({
      target: this.#server.url,
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
      { clock },
    )
    const slots = executor.slots(proxy.url, 4).slice(0, calls)
    const results = await executor.executeBatch(
      slots.map((slot) => {
        const executionId = crypto.randomUUID()
        const command = this.#witness.command(executionId, 'true')
        return { slot, tool: 'bash', args: { command }, executionId }
      }),
    )
    const most = (key: 'requestBytes' | 'responseBytes') =>
      Math.max(...proxy.requests.map((request) => request[key]))
    return {
      fault,
      results,
      posts,
      bytes: { request: most('requestBytes'), response: most('responseBytes') },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]()
    this.#witness[Symbol.dispose]()
  }
}
