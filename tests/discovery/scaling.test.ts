import { describe, expect, test } from 'bun:test'
import { NomadDiscovery } from '../../src/discovery/nomad-discovery.ts'
import { NomadError } from '../../src/discovery/nomad-error.ts'
import { SandboxUsageError } from '../../src/errors.ts'
import { startNomad } from '../support/nomad-stand-in.ts'
import { watched } from './support.ts'

const { signal } = new AbortController()

function scene(group?: string, groups: readonly string[] = ['sandbox']) {
  const nomad = startNomad()
  nomad.place = (nth) => ({ port: 20_000 + nth })
  const [first = 'sandbox', ...others] = groups
  nomad.register({
    ID: 'sandbox',
    Namespace: 'default',
    TaskGroups: [{ Name: first, Count: 2 }, ...others.map((Name) => ({ Name, Count: 1 }))],
  })
  const { scaling, discovery } = discoveryOf(nomad.url, group)
  return { nomad, scaling, discovery, [Symbol.asyncDispose]: () => nomad[Symbol.asyncDispose]() }
}

function discoveryOf(url: string, group?: string) {
  const discovery = new NomadDiscovery({ url, job: 'sandbox', ...(group !== undefined && { group }) })
  return { discovery, scaling: discovery.scaling }
}

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  )
}

describe.each([undefined, 'sandbox'])('scaling the group %p', (group) => {
  test('reads and sets how many there should be', async () => {
    await using it = scene(group)
    expect(await it.scaling.current(signal)).toBe(2)
    await it.scaling.scaleTo(4, signal)
    expect(await it.scaling.current(signal)).toBe(4)
    const posts = it.nomad.requests.filter(({ method }) => method === 'POST')
    expect(posts.map(({ path, body }) => [path, body])).toEqual([
      ['/v1/job/sandbox/scale', { Count: 4, Target: { Group: 'sandbox' }, Message: 'sandbox-slots' }],
    ])
  })

  test('shows in the list: more run, and what goes drains first', async () => {
    await using it = scene(group)
    await using seen = watched(it.discovery)
    await seen.until(() => seen.lists.at(-1)?.length === 2)
    await it.scaling.scaleTo(3, signal)
    await seen.until(() => seen.lists.at(-1)?.length === 3)
    await it.scaling.scaleTo(1, signal)
    await seen.until(() => seen.lists.at(-1)?.filter(({ draining }) => draining).length === 2)
    await it.scaling.scaleTo(0, signal)
    expect(await it.scaling.current(signal)).toBe(0)
  })

  test('while a deployment runs, it says to come later', async () => {
    await using it = scene(group)
    it.nomad.deploying = true
    const error = await rejection(it.scaling.scaleTo(3, signal))
    expect(error).toBeInstanceOf(NomadError)
    expect(error).toMatchObject({ temporary: true, status: 400 })
    expect(error).toHaveProperty(
      'message',
      `Cannot scale group sandbox of job sandbox to 3 at ${it.nomad.url}: HTTP 400: job scaling blocked due to active deployment; try again later`,
    )
    it.nomad.deploying = false
    await it.scaling.scaleTo(3, signal)
  })
})

test('other refusals are no matter of time; an outage is', async () => {
  await using it = scene('nothing')
  expect(await rejection(it.scaling.scaleTo(3, signal))).toMatchObject({ temporary: false, status: 400 })
  expect(await rejection(it.scaling.current(signal))).toMatchObject({
    temporary: false,
    message: 'Cannot scale job sandbox: it has no group nothing, only sandbox',
  })
  it.nomad.outage = { status: 500, text: 'No cluster leader' }
  expect(await rejection(it.scaling.current(signal))).toMatchObject({ temporary: true, status: 500 })
  await it.nomad.leave()
  expect(await rejection(it.scaling.scaleTo(3, signal))).toMatchObject({ temporary: true, status: undefined })
})

test('a job with several groups wants one to be named', async () => {
  await using it = scene(undefined, ['sandbox', 'other'])
  expect(await rejection(it.scaling.scaleTo(3, signal))).toHaveProperty(
    'message',
    'Cannot scale job sandbox: it has the groups sandbox, other: say which one by the option group',
  )
})

test('a job that is missing is told by Nomad', async () => {
  await using nomad = startNomad()
  const { scaling } = discoveryOf(nomad.url)
  expect(await rejection(scaling.current(signal))).toHaveProperty(
    'message',
    `Cannot read the scale of job sandbox at ${nomad.url}: HTTP 404: job not found`,
  )
})

test.each([-1, 1.5, Number.NaN])('refuses the count %p before anything is sent', async (count) => {
  await using it = scene('sandbox')
  expect(await rejection(it.scaling.scaleTo(count, signal))).toBeInstanceOf(SandboxUsageError)
  expect(it.nomad.requests).toEqual([])
})

test('ends with the reason of its signal', async () => {
  await using it = scene('sandbox')
  it.nomad.outage = 'silent'
  const controller = new AbortController()
  const scaled = rejection(it.scaling.scaleTo(3, controller.signal))
  controller.abort(new Error('enough'))
  expect(await scaled).toEqual(new Error('enough'))
  expect(await rejection(it.scaling.current(AbortSignal.abort('before')))).toBe('before')
})
