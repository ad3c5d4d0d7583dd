/** What a soak runs against: two servers of their own behind proxies that strike; and what all of it holds. */
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { hasBubblewrap } from '../server/support.ts'
import { type Fault, type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { pick } from '../support/random.ts'
import { type ServeProcess, startServe } from '../support/serve-process.ts'
import { openDirectory } from '../support/temporary-directory.ts'
import { left } from './sandbox-crash.ts'

export const slotsEach = 12

/** Open files, sockets and pipes, counted by kind. */
export type Handles = ReadonlyMap<string, number>

/** What is held at one moment. */
export interface Holdings {
  readonly clientMB: number
  readonly clientHandles: Handles
  readonly serverMB: number
  readonly serverHandles: Handles
  /** Of the servers, and of all that they have started. */
  readonly processes: number
  readonly files: number
}

/** A server that is killed and started again, at one address. */
class Victim {
  readonly dataDir: string
  readonly #isolation: 'bubblewrap' | 'none'
  readonly #place: string
  #server: ServeProcess | undefined
  #port = 0
  kills = 0

  constructor(place: string, isolation: 'bubblewrap' | 'none') {
    this.#place = place
    this.#isolation = isolation
    this.dataDir = openDirectory(place, 'data-')
  }

  get server(): ServeProcess {
    if (this.#server === undefined) throw new Error('The server is not there')
    return this.#server
  }

  async start(): Promise<void> {
    const options = ['--slots', String(slotsEach), '--port', String(this.#port), '--data-dir', this.dataDir]
    const env = { TMPDIR: this.#place }
    this.#server = await startServe(options, { isolation: this.#isolation, env })
    this.#port = Number(new URL(this.#server.url).port)
  }

  async kill(): Promise<void> {
    this.kills += 1
    this.server.child.kill('SIGKILL')
    await this.server.child.exited
    await Bun.sleep(300)
    await this.start()
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]()
  }
}

const faults: readonly [(at: number) => Fault, ...((at: number) => Fault)[]] = [
  (at) => ({ kind: 'reset', in: 'request', at }),
  (at) => ({ kind: 'close', in: 'request', at }),
  (at) => ({ kind: 'reset', in: 'response', at }),
  (at) => ({ kind: 'close', in: 'response', at }),
  (at) => ({ kind: 'stall', in: 'response', at }),
  (at) => ({ kind: 'delay', in: 'response', at, ms: 100 }),
  (at) => ({ kind: 'drip', in: 'response', at, bytes: 60 }),
]

export class SoakWorld implements AsyncDisposable {
  readonly place = openDirectory(tmpdir(), 'soak-')
  readonly victims: readonly Victim[]
  readonly proxies: FaultProxy[] = []
  readonly #random: () => number
  struck = 0
  requests = 0

  constructor(random: () => number) {
    this.#random = random
    const kinds = hasBubblewrap ? (['bubblewrap', 'none'] as const) : (['none', 'none'] as const)
    this.victims = kinds.map((kind) => new Victim(this.place, kind))
  }

  async start(): Promise<void> {
    for (const victim of this.victims) {
      await victim.start()
      this.proxies.push(await startFaultProxy({ target: victim.server.url, plan: this.#plan }))
    }
  }

  readonly #plan = {
    request: () => {
      this.requests += 1
      if (this.#random() > 0.03) return undefined
      this.struck += 1
      return pick(this.#random, faults)(Math.floor(this.#random() * 700))
    },
  }

  get kills(): number {
    return this.victims.reduce((sum, { kills }) => sum + kills, 0)
  }

  /** Kills one server, in the middle of whatever it does. */
  async killOne(): Promise<void> {
    await this.victims[Math.floor(this.#random() * this.victims.length)]?.kill()
  }

  /** Ends all connections: what is held afterwards is held by nobody's wish. */
  async hangUp(): Promise<void> {
    for (const proxy of this.proxies) {
      await proxy.refuse()
      await proxy.accept()
    }
  }

  /** What the proxies remember is not what the client holds, and is in its process. */
  forget(): void {
    for (const { requests, connections } of this.proxies) {
      Object.assign(requests, { length: 0 })
      Object.assign(connections, { length: 0 })
    }
  }

  holdings(): Holdings {
    Bun.gc(true)
    const servers = this.victims.map(({ server }) => server.child.pid)
    return {
      clientMB: process.memoryUsage.rss() / 1e6,
      clientHandles: handlesOf('self'),
      serverMB: servers.reduce((sum, pid) => sum + residentMB(pid), 0),
      serverHandles: together(servers.map(handlesOf)),
      processes: left(this.place).length,
      files: this.victims.reduce((sum, { dataDir }) => sum + filesBelow(dataDir), 0),
    }
  }

  /** Ends everything; what is left of it. */
  async end(): Promise<string[]> {
    for (const proxy of this.proxies) await proxy.stop()
    await Promise.all(this.victims.map((victim) => victim.stop()))
    await Bun.sleep(1_000)
    const dataDirs = this.victims.map(({ dataDir }) => dataDir.slice(this.place.length + 1))
    const strays = readdirSync(this.place).filter((name) => !dataDirs.includes(name))
    return [...left(this.place), ...strays.map((name) => `the file ${name}`)]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.victims.map((victim) => victim.stop()))
    rmSync(this.place, { recursive: true, force: true })
  }
}

function residentMB(pid: number): number {
  return (Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024) / 1e6
}

/** By what they lead to, without numbers: so many of each. */
function handlesOf(pid: number | 'self'): Map<string, number> {
  const counts = new Map<string, number>()
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const kind = kindOf(`/proc/${pid}/fd/${fd}`)
    if (kind !== undefined) counts.set(kind, (counts.get(kind) ?? 0) + 1)
  }
  return counts
}

function kindOf(path: string): string | undefined {
  try {
    return readlinkSync(path).replace(/\d+/g, 'N')
  } catch {
    // The one by which the directory was read.
    return undefined
  }
}

/** Those that `after` has more of. */
export function moreHandles(before: Handles, after: Handles): string[] {
  return [...after].flatMap(([kind, count]) => {
    const more = count - (before.get(kind) ?? 0)
    return more > 0 ? [`${more} × ${kind}`] : []
  })
}

function together(all: readonly Handles[]): Handles {
  const sum = new Map<string, number>()
  for (const one of all) for (const [kind, count] of one) sum.set(kind, (sum.get(kind) ?? 0) + count)
  return sum
}

function filesBelow(directory: string): number {
  return readdirSync(directory, { recursive: true }).length
}

/** By how much values grow for each minute, by the line of least squares. */
export function slope(samples: readonly { readonly minute: number; readonly value: number }[]): number {
  const mean = (of: (sample: { minute: number; value: number }) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length
  const [minute, value] = [mean((sample) => sample.minute), mean((sample) => sample.value)]
  const shared = mean((sample) => (sample.minute - minute) * (sample.value - value))
  return shared / mean((sample) => (sample.minute - minute) ** 2)
}
