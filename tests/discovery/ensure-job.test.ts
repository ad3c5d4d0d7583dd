import { describe, expect, test } from 'bun:test'
import { type EnsureJobOptions, ensureJob } from '../../src/discovery/ensure-job.ts'
import { JobStartError } from '../../src/discovery/job-start-error.ts'
import { NomadError } from '../../src/discovery/nomad-error.ts'
import { SandboxUsageError } from '../../src/errors.ts'
import type { Placed } from '../support/nomad-shapes.ts'
import { type NomadStandIn, startNomad } from '../support/nomad-stand-in.ts'
import { the } from '../support/the.ts'

/** Nomad, and a server for the containers to be. */
function scene(place: (port: number) => Placed | undefined = (port) => ({ port })) {
  const container = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () => new Response('no', { status: 401 }),
  })
  const nomad = startNomad()
  nomad.place = () => place(Number(container.url.port))
  const ensure = (options: Partial<EnsureJobOptions> = {}) =>
    ensureJob({ url: nomad.url, job: 'sandbox', driver: 'raw_exec', command: 'sandbox-slots', ...options })
  const end = async () => {
    await container.stop(true)
    await nomad[Symbol.asyncDispose]()
  }
  return { nomad, ensure, [Symbol.asyncDispose]: end }
}

const registrations = (nomad: NomadStandIn) =>
  nomad.requests.filter(({ method }) => method === 'PUT').map(({ body }) => body)

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  )
}

describe('a job that is missing', () => {
  test('is registered; a container that answers is enough, whatever it says', async () => {
    await using it = scene()
    expect(await it.ensure({ count: 2 })).toEqual({ registered: true })
    expect(registrations(it.nomad)).toMatchObject([
      { EnforceIndex: true, JobModifyIndex: 0, Job: { ID: 'sandbox', TaskGroups: [{ Count: 2 }] } },
    ])
    expect(await it.ensure()).toEqual({ registered: false })
    expect(registrations(it.nomad)).toHaveLength(1)
  })

  test('is registered by one of several', async () => {
    await using it = scene()
    const results = await Promise.all([it.ensure(), it.ensure(), it.ensure()])
    expect(results.filter(({ registered }) => registered)).toHaveLength(1)
  })

  test('is waited for while it is pending, and while Nomad is away', async () => {
    let id: string | undefined
    let port = 0
    await using it = scene((where) => {
      port = where
      id = crypto.randomUUID()
      return { id, client: 'pending' }
    })
    const ensured = it.ensure()
    while (id === undefined) await Bun.sleep(1)
    it.nomad.outage = { status: 500, text: 'No cluster leader' }
    it.nomad.put('sandbox', { id })
    await Bun.sleep(20)
    it.nomad.outage = undefined
    it.nomad.put('sandbox', { id, client: 'running', port })
    expect(await ensured).toEqual({ registered: true })
  })
})

describe('a job that is there', () => {
  test('is left alone, also one without a single container', async () => {
    await using it = scene(() => ({ client: 'pending' }))
    it.nomad.register({ ID: 'sandbox', Namespace: 'default', TaskGroups: [{ Name: 'sandbox', Count: 0 }] })
    expect(await it.ensure({ count: 5 })).toEqual({ registered: false })
    expect(registrations(it.nomad)).toEqual([])
  })

  test('and is stopped is registered anew; what failed in its former life does not count', async () => {
    await using it = scene()
    it.nomad.register({ ID: 'sandbox', Namespace: 'default', TaskGroups: [{ Name: 'sandbox', Count: 1 }] })
    it.nomad.put('sandbox', { ...failing, id: 'old' })
    it.nomad.stopJob('sandbox')
    it.nomad.place = () => undefined
    expect(await rejection(it.ensure())).toHaveProperty('message', expect.stringContaining('no place'))
    expect(registrations(it.nomad)).toMatchObject([
      { EnforceIndex: true, JobModifyIndex: expect.any(Number) },
    ])
  })

  test('is left alone when only a former version of it failed', async () => {
    await using it = scene()
    const job = { ID: 'sandbox', Namespace: 'default' }
    it.nomad.register({ ...job, TaskGroups: [{ Name: 'sandbox', Count: 0 }] })
    it.nomad.put('sandbox', failing)
    it.nomad.register({ ...job, TaskGroups: [{ Name: 'sandbox', Count: 0 }] })
    expect(await it.ensure()).toEqual({ registered: false })
  })

  test('and cannot start is told', async () => {
    await using it = scene(() => failing)
    it.nomad.register({ ID: 'sandbox', Namespace: 'default', TaskGroups: [{ Name: 'sandbox', Count: 1 }] })
    expect(await rejection(it.ensure())).toBeInstanceOf(JobStartError)
  })
})

const failing: Placed = {
  id: '8ba3f1d2-0000-4000-8000-000000000000',
  client: 'failed',
  failed: true,
  events: [
    ['Received', 'Task received by client'],
    ['Driver', 'Downloading image'],
    ['Driver Failure', 'Failed to pull `no/such:image`: not found'],
    ['Not Restarting', 'Error was unrecoverable'],
  ],
}

describe('a start that fails is told with what happened', () => {
  test('an image that cannot be pulled', async () => {
    await using it = scene(() => failing)
    const error = await rejection(it.ensure({ driver: 'docker', image: 'no/such:image' }))
    expect(error).toBeInstanceOf(JobStartError)
    expect(error).toMatchObject({ code: 'server', job: 'sandbox', allocId: failing.id })
    expect(error).toHaveProperty(
      'message',
      'Job sandbox does not start: allocation 8ba3f1d2 failed: Driver Failure: Failed to pull `no/such:image`: not found',
    )
    expect(error).toHaveProperty('events', expect.arrayContaining(['Driver: Downloading image']))
  })

  test('a server that keeps ending, also in a moment in which it runs', async () => {
    const events = [
      ['Started', 'Task started by client'],
      ['Terminated', 'Exit Code: 127'],
      ['Restarting', 'Task restarting in 1s'],
    ] as const
    await using it = scene(() => ({ client: 'running', restarts: 2, events, port: 1 }))
    expect(await rejection(it.ensure())).toHaveProperty(
      'message',
      expect.stringContaining('failed: Terminated: Exit Code: 127 (started again 2 times)'),
    )
  })

  test('one that fails beside one that may still run is waited for', async () => {
    let pending: Placed | undefined
    await using it = scene((port) => {
      if (pending !== undefined) return failing
      pending = { id: crypto.randomUUID(), client: 'pending', port }
      return pending
    })
    const ensured = it.ensure({ count: 2 })
    while (!it.nomad.requests.some(({ query }) => query.has('index'))) await Bun.sleep(1)
    it.nomad.put('sandbox', { ...the(pending), client: 'running' })
    expect(await ensured).toEqual({ registered: true })
  })

  test('no machine has room', async () => {
    await using it = scene(() => undefined)
    expect(await rejection(it.ensure())).toHaveProperty(
      'message',
      'Job sandbox does not start: there is no place for it: missing drivers on 1 (nodes evaluated: 1)',
    )
  })

  test('nothing failed but time: the last thing that is known', async () => {
    await using it = scene(() => ({ port: 1 }))
    expect(await rejection(it.ensure({ startTimeoutMs: 30 }))).toHaveProperty(
      'message',
      'Job sandbox does not start: no container answers within 30 ms; last: its server runs, and does not answer at http://127.0.0.1:1',
    )
  })

  test('Nomad refuses the job', async () => {
    await using it = scene()
    it.nomad.outage = { status: 403, text: 'Permission denied' }
    const error = await rejection(it.ensure())
    expect(error).toBeInstanceOf(NomadError)
    expect(error).toMatchObject({ status: 403, temporary: false })
  })

  test('the signal ends the waiting with its reason', async () => {
    await using it = scene(() => ({ client: 'pending' }))
    const controller = new AbortController()
    const ensured = rejection(it.ensure({ signal: controller.signal }))
    while (registrations(it.nomad).length === 0) await Bun.sleep(1)
    controller.abort('enough')
    expect(await ensured).toBe('enough')
    expect(await rejection(it.ensure({ signal: AbortSignal.abort('before') }))).toBe('before')
  })
})

test.each([
  [{ driver: 'docker', command: 'x' }, 'image'],
  [{ driver: 'raw_exec', command: undefined }, 'command'],
  [{ driver: 'exec' }, 'driver'],
  [{ count: 0 }, 'count'],
  [{ portLabel: 'a-b' }, 'portLabel'],
  [{ containerPort: 70_000 }, 'containerPort'],
  [{ datacenters: [] }, 'datacenters'],
  [{ slotz: 1 }, 'slotz'],
])('refuses the options %j, naming the field', async (options, field) => {
  const given = { url: 'http://127.0.0.1:1', job: 'a', driver: 'raw_exec', command: 'x', ...options }
  const error = await rejection(Reflect.apply(ensureJob, undefined, [given]))
  expect(error).toBeInstanceOf(SandboxUsageError)
  expect(the(error instanceof SandboxUsageError ? error.field : null)).toBe(field)
})
