/**
 * A TCP proxy between a client and an HTTP/1.1 server, in this process, that breaks what passes it: see `fault-plan.ts`.
 *
 * ```ts
 * await using proxy = await startFaultProxy({ target: server.url, plan: [undefined, { kind: 'reset', in: 'response', at: 17 }] })
 * await fetch(proxy.url) // passes; the second request is reset when 17 bytes of its answer have passed
 * ```
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { FaultConnection } from './fault-connection.ts'
import type { FaultPlan, ProxiedConnection, ProxiedRequest } from './fault-plan.ts'

export type { Direction, Fault, FaultPlan, ProxiedConnection, ProxiedRequest } from './fault-plan.ts'

export interface FaultProxy extends AsyncDisposable {
  readonly url: string
  /** The same without the scheme. */
  readonly addr: string
  /** In the order in which they came. */
  readonly connections: readonly ProxiedConnection[]
  /** In the order in which their heads came, whether the target saw them or not. */
  readonly requests: readonly ProxiedRequest[]
  /** HTTP POSTs that reached the target whole. */
  readonly posts: number
  /** The plan from the next request on; requests and connections keep their indices. */
  setPlan(plan: FaultPlan): void
  /** Stops listening and ends all connections: whoever comes is refused. */
  refuse(): Promise<void>
  /** Listens again, on the same port. */
  accept(): Promise<void>
  stop(): Promise<void>
}

export async function startFaultProxy(options: {
  /** Address of the server: `http://127.0.0.1:8080` or `127.0.0.1:8080`. */
  readonly target: string
  readonly plan?: FaultPlan
  /** Where it listens. Default 127.0.0.1, as all others do: while it refuses, its port may be given to another. */
  readonly host?: string
}): Promise<FaultProxy> {
  const { hostname, port } = new URL(
    options.target.includes('://') ? options.target : `http://${options.target}`,
  )
  const target = { host: hostname, port: Number(port) }
  const proxy = new RunningProxy(target, options.plan ?? [], options.host ?? '127.0.0.1')
  await proxy.accept()
  return proxy
}

class RunningProxy implements FaultProxy {
  readonly connections: ProxiedConnection[] = []
  readonly requests: ProxiedRequest[] = []
  readonly #target: { readonly host: string; readonly port: number }
  #plan: FaultPlan
  readonly #open = new Set<FaultConnection>()
  #server: Server | undefined
  #port = 0

  constructor(
    target: { readonly host: string; readonly port: number },
    plan: FaultPlan,
    private readonly host: string,
  ) {
    this.#target = target
    this.#plan = plan
  }

  get addr(): string {
    return `${this.host}:${this.#port}`
  }

  get url(): string {
    return `http://${this.addr}`
  }

  get posts(): number {
    return this.connections.reduce((sum, { posts }) => sum + posts, 0)
  }

  setPlan(plan: FaultPlan): void {
    this.#plan = plan
  }

  async accept(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer({ allowHalfOpen: true }, (client) => this.#connect(client))
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    server.once('error', reject)
    server.listen({ host: this.host, port: this.#port }, resolve)
    await promise
    this.#server = server
    this.#port = portOf(server.address())
  }

  async refuse(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    server.close(() => resolve())
    for (const connection of this.#open) connection.destroy()
    await promise
  }

  stop(): Promise<void> {
    return this.refuse()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #connect(client: Socket): void {
    const connection = new FaultConnection({
      index: this.connections.length,
      client,
      target: this.#target,
      plan: () => this.#plan,
      requests: this.requests,
      closed: () => this.#open.delete(connection),
    })
    this.#open.add(connection)
    this.connections.push(connection.record)
  }
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
  return address.port
}
