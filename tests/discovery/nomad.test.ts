import { afterEach, describe, expect, test } from 'bun:test'
import { NomadDiscovery, type NomadDiscoveryOptions } from '../../src/discovery/nomad-discovery.ts'
import { hastyReads, nextIndex, restMs } from '../../src/discovery/nomad-reads.ts'
import { SandboxUsageError } from '../../src/errors.ts'
import type { NomadStandInOptions } from '../support/nomad-shapes.ts'
import { type NomadStandIn, startNomad } from '../support/nomad-stand-in.ts'
import { the } from '../support/the.ts'
import { instantClock, watched } from './support.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each[Symbol.asyncDispose]()
})

function started(options: NomadStandInOptions = {}): NomadStandIn {
  const nomad = startNomad(options)
  opened.push(nomad)
  return nomad
}

/** Short pauses, so that an outage of several attempts is over soon. */
function watching(nomad: NomadStandIn, options: Partial<NomadDiscoveryOptions> = {}) {
  const settings = { url: nomad.url, job: 'sandbox', retryMs: 1, maxRetryMs: 2, ...options }
  const seen = watched(new NomadDiscovery(settings))
  opened.push(seen)
  return seen
}

const reads = (nomad: NomadStandIn) => nomad.requests.filter(({ path }) => path.endsWith('/allocations'))
const indexes = (nomad: NomadStandIn) => reads(nomad).map(({ query }) => query.get('index'))

describe('what is asked', () => {
  test('resources, then index and wait; namespace, region and token', async () => {
    const nomad = started({ token: 'secret', namespaces: ['team a'] })
    const seen = watching(nomad, { token: 'secret', namespace: 'team a', region: 'eu', waitMs: 1_500 })
    nomad.put('sandbox', { id: 'a' }, 'team a')
    await seen.until(() => seen.lists.at(-1)?.length === 1)
    nomad.put('sandbox', { id: 'b', port: 20_001 }, 'team a')
    await seen.until(() => seen.lists.at(-1)?.length === 2)
    const [first, second] = reads(nomad)
    expect(first?.path).toBe('/v1/job/sandbox/allocations')
    expect(Object.fromEntries(the(first).query)).toEqual({
      namespace: 'team a',
      region: 'eu',
      resources: 'true',
    })
    expect(Object.fromEntries(the(second).query)).toMatchObject({ index: '11', wait: '1500ms' })
    expect(nomad.requests.every(({ token }) => token === 'secret')).toBe(true)
  })

  test('the job by its ID, whatever is in it', async () => {
    const nomad = started()
    const seen = watching(nomad, { job: 'a/b c' })
    nomad.put('a/b c', { id: 'a' })
    await seen.until(() => seen.lists.at(-1)?.length === 1)
    expect(reads(nomad)[0]?.path).toBe('/v1/job/a%2Fb%20c/allocations')
  })

  test('each allocation for itself, once, where lists leave the resources out', async () => {
    const nomad = started({ withoutResources: true })
    for (let nth = 0; nth < 40; nth += 1) nomad.put('sandbox', { id: `a${nth}`, port: 20_000 + nth })
    nomad.put('sandbox', { id: 'pending', client: 'pending' })
    const seen = watching(nomad)
    await seen.until(() => seen.lists.at(-1)?.length === 40)
    nomad.put('sandbox', { id: 'new', port: 30_000 })
    await seen.until(() => seen.lists.at(-1)?.length === 41)
    const details = nomad.requests.filter(({ path }) => path.startsWith('/v1/allocation/'))
    expect(new Set(details.map(({ path }) => path)).size).toBe(41)
    expect(details).toHaveLength(41)
  })
})

test('an allocation that is gone before it is read is no trouble', async () => {
  const nomad = started({ withoutResources: true })
  nomad.put('sandbox', { id: 'here' })
  nomad.put('sandbox', { id: 'gone', port: 20_001 })
  const isGone = ({ url }: Request) => url.includes('/allocation/gone')
  const seen = watching(nomad, {
    fetch: async (request) => (isGone(request) ? new Response('gone', { status: 404 }) : fetch(request)),
  })
  await seen.until(() => seen.lists.length + seen.troubles.length > 0)
  expect(seen.lists).toMatchObject([[{ allocId: 'here' }]])
})

test('no redirect is followed: the token is for Nomad alone', async () => {
  const nomad = started()
  const elsewhere = Response.redirect(`${nomad.url}/v1/job/sandbox/allocations`, 307)
  const asked: string[] = []
  const fetchOnce = async (request: Request) => {
    asked.push(request.redirect)
    return elsewhere.clone()
  }
  const seen = watching(nomad, { fetch: fetchOnce, token: 'secret' })
  await seen.until(() => seen.troubles.length > 0)
  expect(seen.troubles[0]).toContain('HTTP 307')
  expect(asked[0]).toBe('manual')
})

describe('blocking queries', () => {
  test('an index that went backwards starts again from 0', async () => {
    const nomad = started()
    nomad.goBackTo(500)
    const seen = watching(nomad)
    await seen.until(() => seen.lists.length === 1)
    nomad.put('sandbox', { id: 'a' })
    while (!indexes(nomad).includes('501')) await Bun.sleep(1)
    nomad.goBackTo(20)
    nomad.put('sandbox', { id: 'b', port: 20_001 })
    await seen.until(() => seen.lists.length === 3)
    nomad.put('sandbox', { id: 'c', port: 20_002 })
    await seen.until(() => seen.lists.length === 4)
    const asked = indexes(nomad)
    expect(asked.slice(0, 3)).toEqual([null, '500', '501'])
    expect(asked.slice(3)).toContain(null)
    expect(asked.slice(3).every((index) => Number(index) < 500)).toBe(true)
  })

  test('reads that answer at once are slowed down', async () => {
    const nomad = started()
    nomad.hasty = true
    const clock = instantClock(5_000)
    const discovery = new NomadDiscovery({ url: nomad.url, job: 'sandbox' }, { clock })
    const seen = watched(discovery)
    opened.push(seen)
    while (clock.pauses.length < 10) await Bun.sleep(1)
    expect(clock.pauses.slice(0, 10)).toEqual([0, 0, 0, 100, 200, 400, 800, 1_600, 2_000, 2_000])
  })

  test('the rules of index and rest', () => {
    expect([nextIndex(0, 7), nextIndex(7, 7), nextIndex(7, 9), nextIndex(9, 7), nextIndex(9, 0)]).toEqual([
      7, 7, 9, 0, 0,
    ])
    expect([hastyReads(4, 10), hastyReads(4, 60_000)]).toEqual([5, 0])
    expect([restMs(0), restMs(3), restMs(4), restMs(1_000_000)]).toEqual([0, 0, 100, 2_000])
  })
})

describe('trouble', () => {
  test('comes in the words of Nomad', async () => {
    const nomad = started({ token: 'secret' })
    const seen = watching(nomad)
    await seen.until(() => seen.troubles.length > 0)
    expect(seen.troubles[0]).toBe(
      `Cannot list the allocations of job sandbox at ${nomad.url}: HTTP 403: Permission denied`,
    )
    const wrong = watching(nomad, { token: 'other' })
    await wrong.until(() => wrong.troubles.length > 0)
    expect(wrong.troubles[0]).toEndWith('HTTP 403: ACL token not found')
  })

  test('an answer of another shape is trouble', async () => {
    const nomad = started()
    const answers = ['[{"ID":7}]', '<html>proxy</html>', '{}']
    const fetch = async () => new Response(answers.shift() ?? '[]')
    const seen = watching(nomad, { fetch })
    await seen.until(() => seen.lists.length === 1)
    expect(seen.troubles).toEqual([
      expect.stringContaining('(0.ID): [{"ID":7}]'),
      expect.stringContaining('<html>proxy</html>'),
      expect.stringContaining('{}'),
    ])
  })

  test('an endless answer is given up', async () => {
    const nomad = started()
    const bytes = new Uint8Array(1024 * 1024).fill(32)
    const endless = () => new ReadableStream({ pull: (controller) => controller.enqueue(bytes) })
    const seen = watching(nomad, { fetch: async () => new Response(endless()) })
    await seen.until(() => seen.troubles.length > 0)
    expect(seen.troubles[0]).toContain(`larger than ${64 * 1024 * 1024} bytes`)
  })

  test('while Nomad is away the last list stays; afterwards it goes on, from 0', async () => {
    const nomad = started()
    nomad.put('sandbox', { id: 'a' })
    const seen = watching(nomad)
    await seen.until(() => seen.lists.length === 1)
    await nomad.leave()
    await seen.until(() => seen.troubles.length > 3)
    nomad.put('sandbox', { id: 'b', port: 20_001 })
    const before = reads(nomad).length
    nomad.comeBack()
    await seen.until(() => seen.lists.length === 2)
    expect(seen.lists.map((list) => list.length)).toEqual([1, 2])
    expect(indexes(nomad)[before]).toBeNull()
  })

  test('is followed by growing pauses, up to maxRetryMs', async () => {
    const nomad = started()
    nomad.outage = { status: 500, text: 'No cluster leader' }
    const clock = instantClock(5_000)
    const options = { url: nomad.url, job: 'sandbox', retryMs: 1_000, maxRetryMs: 5_000 }
    const seen = watched(new NomadDiscovery(options, { clock, random: () => 0.5 }))
    opened.push(seen)
    await seen.until(() => seen.troubles.length > 7)
    expect(clock.pauses.slice(0, 7)).toEqual([1_000, 2_000, 3_000, 4_000, 5_000, 5_000, 5_000])
    expect(seen.troubles[0]).toContain('HTTP 500: No cluster leader')
  })

  test('a Nomad that never answers is given up after the wait, 1/16 of it and 10 s', async () => {
    const nomad = started()
    nomad.outage = 'silent'
    const limits: number[] = []
    const clock = {
      ...instantClock(2),
      setTimeout: (task: () => void, ms: number) => {
        limits.push(ms)
        return setImmediate(task)
      },
    }
    const seen = watched(new NomadDiscovery({ url: nomad.url, job: 'sandbox', waitMs: 32_000 }, { clock }))
    opened.push(seen)
    await seen.until(() => seen.troubles.length > 0)
    expect(seen.troubles[0]).toEndWith('no answer within 44000 ms')
    expect(limits[0]).toBe(44_000)
  })

  test('the watch ends in the middle of a blocking query', async () => {
    const nomad = started()
    const seen = watching(nomad, { waitMs: 600_000 })
    await seen.until(() => seen.lists.length === 1)
    while (reads(nomad).length < 2) await Bun.sleep(1)
    await seen.stop()
    expect(seen.troubles).toEqual([])
  })
})

test.each([
  [{ url: 'nowhere://x' }, 'url'],
  [{ job: '' }, 'job'],
  [{ job: undefined }, 'job'],
  [{ waitMs: 600_001 }, 'waitMs'],
  [{ retryMs: Number.NaN }, 'retryMs'],
  [{ tokn: 'x' }, 'tokn'],
  [{ fetch: 'no' }, 'fetch'],
])('refuses the options %j', (options, field) => {
  const construct = () => Reflect.construct(NomadDiscovery, [{ url: 'http://n:4646', job: 'a', ...options }])
  expect(construct).toThrow(SandboxUsageError)
  expect(construct).toThrow(field)
})
