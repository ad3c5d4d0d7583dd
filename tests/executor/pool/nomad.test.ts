/** A pool on a Nomad: discovery, registration, scaling and outages, end to end, with servers that listen. */
import { describe, expect, test } from 'bun:test'
import { ensureJob, nomadDiscovery, type PoolEvent, SlotPool, type SlotPoolOptions } from '../../../mod.ts'
import { type NomadStandIn, startNomad } from '../../support/nomad-stand-in.ts'

const token = '5e9b6c3a-nomad'
const slotsEach = 2

/** A cluster whose allocations are servers in this process. */
class Cluster implements AsyncDisposable {
  readonly nomad: NomadStandIn = startNomad({ token })
  readonly servers = new Map<number, Bun.Server<undefined>>()
  readonly events: PoolEvent[] = []
  pool: SlotPool | undefined
  #heard = Promise.withResolvers<void>()

  constructor() {
    this.nomad.place = () => {
      const server = serve()
      const port = Number(server.url.port)
      this.servers.set(port, server)
      return { port }
    }
  }

  get access() {
    return { url: this.nomad.url, token, job: 'sandbox' }
  }

  async start(options: Partial<SlotPoolOptions> = {}): Promise<SlotPool> {
    await ensureJob({ ...this.access, driver: 'raw_exec', command: 'sandbox-slots' })
    this.pool = await SlotPool.start({
      discovery: nomadDiscovery({ ...this.access, retryMs: 20 }),
      executor: { retry: { attempts: 1 } },
      healthCheckMs: 100,
      onEvent: (event) => {
        this.events.push(event)
        this.#heard.resolve()
        this.#heard = Promise.withResolvers()
      },
      ...options,
    })
    return this.pool
  }

  /** Resolves when `condition` holds; it is looked at whenever the pool tells something. The test's timeout ends it. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#heard.promise
  }

  told(type: PoolEvent['type']): PoolEvent[] {
    return this.events.filter((event) => event.type === type)
  }

  /** What Nomad wants to stop stops. */
  finishStopping(): number[] {
    const stopped = this.nomad.stopping()
    for (const { id, port } of stopped) {
      void this.servers.get(port)?.stop(true)
      this.nomad.put('sandbox', { id, client: 'complete' })
    }
    return stopped.map(({ port }) => port)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool?.stop({ graceMs: 0 })
    for (const server of this.servers.values()) await server.stop(true)
    await this.nomad[Symbol.asyncDispose]()
  }
}

function serve(): Bun.Server<undefined> {
  const answer = (item: { execution_id?: string }) => ({
    success: true,
    execution_id: item.execution_id ?? null,
  })
  return Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: async (request) => {
      if (request.method === 'GET') return Response.json({ status: 'ok', slots: slotsEach })
      const body = (await request.json()) as object | object[]
      return Response.json(Array.isArray(body) ? body.map(answer) : answer(body))
    },
  })
}

const names = (count: number) => Array.from({ length: count }, (_, index) => `t${index}`)
const scaling = { min: 1, max: 3, waitMs: 50, cooldownMs: 1, idleMs: 300 }

describe('a pool on Nomad', () => {
  test('grows with its waiters, works while Nomad is away, and shrinks when it is idle', async () => {
    await using cluster = new Cluster()
    const pool = await cluster.start({ scaling })
    const run = (name: string) => pool.run(name, 'bash', { command: 'x' })
    const trajectories = names(3 * slotsEach)
    const first = await Promise.all(trajectories.map(run))
    expect(first.map(({ outcome }) => outcome)).toEqual(trajectories.map(() => 'exited'))
    expect(pool.stats().containers).toHaveLength(3)

    await cluster.nomad.leave()
    await cluster.until(() => cluster.told('discovery.failed').length > 1)
    const second = await Promise.all(trajectories.map(run))
    expect(second.map(({ outcome }) => outcome)).toEqual(trajectories.map(() => 'exited'))
    expect(pool.stats().slots).toMatchObject({ total: 3 * slotsEach, leased: 3 * slotsEach })
    cluster.nomad.comeBack()

    await Promise.all(trajectories.map((name) => pool.end(name)))
    const ports = [...cluster.servers.keys()]
    for (const nth of [2, 1]) {
      await cluster.until(() =>
        cluster.told('scale.requested').some((event) => 'to' in event && event.to === nth),
      )
      // The newest leaves first: the pool drains what Nomad stops.
      expect(cluster.finishStopping()).toEqual(ports.slice(nth, nth + 1))
      const addr = `http://127.0.0.1:${ports[nth]}`
      await cluster.until(() => pool.stats().containers.every((container) => container.addr !== addr))
    }
    expect(pool.stats().slots).toMatchObject({ total: slotsEach, free: slotsEach })
    expect(cluster.told('lease.lost')).toEqual([])
    expect((await run('last')).outcome).toBe('exited')
  }, 30_000)

  test('goes on with what it has while scaling is refused, and says so in Nomad’s words', async () => {
    await using cluster = new Cluster()
    const pool = await cluster.start({ scaling })
    cluster.nomad.deploying = true
    const calls = names(slotsEach + 1).map((name) => pool.run(name, 'bash', { command: 'x' }))
    await cluster.until(() => cluster.told('scale.failed').length > 0)
    expect(cluster.told('scale.failed')[0]).toHaveProperty(
      'message',
      `Cannot scale group sandbox of job sandbox to 2 at ${cluster.nomad.url}: HTTP 400: job scaling blocked due to active deployment; try again later`,
    )
    await pool.end('t0')
    expect((await Promise.all(calls)).map(({ outcome }) => outcome)).toEqual(['exited', 'exited', 'exited'])
    cluster.nomad.deploying = false
    const waiting = pool.run('more', 'bash', { command: 'x' })
    expect((await waiting).outcome).toBe('exited')
    expect(pool.stats().containers).toHaveLength(2)
  }, 30_000)

  test('a container that was to leave and cannot is used again', async () => {
    await using cluster = new Cluster()
    const pool = await cluster.start({ scaling: { ...scaling, idleMs: 50 } })
    await Promise.all(names(slotsEach + 1).map((name) => pool.run(name, 'bash', { command: 'x' })))
    cluster.nomad.deploying = true
    await Promise.all(names(slotsEach + 1).map((name) => pool.end(name)))
    await cluster.until(() => cluster.told('scale.failed').length > 0)
    const states = () => pool.stats().containers.map(({ state }) => state)
    await cluster.until(() => states().every((state) => state === 'healthy'))
    expect(states()).toEqual(['healthy', 'healthy'])
  }, 30_000)

  test('an allocation that fails takes its leases with it; the one in its place joins', async () => {
    await using cluster = new Cluster()
    const pool = await cluster.start()
    const lease = await pool.acquire()
    const [port] = [...cluster.servers.keys()]
    await cluster.servers.get(Number(port))?.stop(true)
    const [id] = cluster.nomad.allocationIds
    cluster.nomad.put('sandbox', { id: `${id}`, client: 'failed', failed: true })
    const { promise, resolve } = Promise.withResolvers<unknown>()
    lease.signal.addEventListener('abort', () => resolve(lease.signal.reason))
    expect(await promise).toHaveProperty('name', 'LeaseLostError')
    cluster.nomad.put('sandbox', cluster.nomad.place(0) ?? {})
    expect((await pool.run('t', 'bash', { command: 'x' })).outcome).toBe('exited')
  }, 30_000)

  test.each([
    [{}, 'HTTP 403: Permission denied'],
    [{ token: 'another' }, 'HTTP 403: ACL token not found'],
    [{ token, namespace: 'nowhere' }, 'HTTP 404: namespace "nowhere" not found'],
  ])('with %j it does not start, and says why', async (access, sentence) => {
    await using nomad = startNomad({ token })
    const discovery = nomadDiscovery({ url: nomad.url, job: 'sandbox', ...access })
    const starting = SlotPool.start({ discovery })
    expect(starting).rejects.toThrow(
      `Cannot start the pool: Cannot list the allocations of job sandbox at ${nomad.url}: ${sentence}`,
    )
    await starting.catch(() => {})
  })
})
