/**
 * Promise 8: 200 writes of 100 kB at once, to our server at each level and to one that takes less than it says. Every POST
 * is measured outside the client, every file read back. `bun tests/campaign/large-batches.ts [writes]`
 */
import { type Fetch, SandboxExecutor } from '../../mod.ts'
import { baseLimits, bodyTooLarge } from '../../src/protocol/routes.ts'
import { startBaseServer } from '../support/base-server.ts'
import { levels, startRealServer } from '../support/real-server.ts'
import { atMost, type Check, exactly, type Figure, runAlone } from './check.ts'

const characters = 100_000

/** What is larger as JSON, and as UTF-8, than its length says. */
const contents = ['x', '\n', '"\\', 'é', '\u0001'].map((part) => part.repeat(characters).slice(0, characters))

/** Keeps the size of each body that leaves. */
function measuring(sizes: number[]): Fetch {
  return async (request) => {
    if (request.method === 'POST') sizes.push((await request.clone().bytes()).length)
    return fetch(request)
  }
}

/** To our server: all are written and read again. */
async function toOurs(level: (typeof levels)[number], writes: number): Promise<Figure[]> {
  const sizes: number[] = []
  await using server = await startRealServer({ slots: writes, level })
  await using executor = new SandboxExecutor({ fetch: measuring(sizes) })
  const slots = executor.slots(server.url, writes)
  const content = (index: number) => contents[index % contents.length] ?? ''
  const written = await Promise.all(slots.map((slot, index) => slot.writeFile('large', content(index))))
  const read = await Promise.all(slots.map((slot) => slot.readFile('large')))
  const lost = slots.filter((_, index) => {
    const isThere = read[index]?.output.startsWith(content(index).slice(0, 1_000).trim()) === true
    return written[index]?.success !== true || !isThere
  })
  return [
    exactly(`lost, ${level} server`, lost.length, 0),
    atMost(`bytes of the largest POST, ${level} server`, Math.max(...sizes), baseLimits.requestBytes),
  ]
}

/** To a server that takes at most `maxBytes`, and says so by `refuse`. */
async function toLess(name: string, refusal: () => Response, writes: number): Promise<Figure[]> {
  let refused = 0
  const maxBytes = 300_000
  await using server = startBaseServer({
    slots: writes,
    refuse: ({ bytes }) => {
      if (bytes <= maxBytes) return undefined
      refused += 1
      return refusal()
    },
  })
  await using executor = new SandboxExecutor({})
  const content = 'x'.repeat(characters)
  const results = await Promise.all(
    executor.slots(server.url, writes).map((slot) => slot.writeFile('large', content)),
  )
  const ranOnce = results.filter(({ executionId }) => server.executions.get(executionId) === 1)
  return [
    exactly(`lost, ${name}`, results.filter(({ success }) => !success).length, 0),
    exactly(`that ran once, ${name}, ${refused} POSTs refused`, ranOnce.length, writes),
  ]
}

export const largeBatches: Check = {
  name: 'large-batches',
  row: '8',
  unit: 'writes',
  sizes: { full: 200, quick: 60 },
  run: async (writes) => {
    const figures: Figure[] = []
    for (const level of levels) figures.push(...(await toOurs(level, writes)))
    const plain413 = () => new Response('', { status: 413 })
    const base500 = () => Response.json({ success: false, error: bodyTooLarge }, { status: 500 })
    figures.push(...(await toLess('413', plain413, writes)), ...(await toLess('500', base500, writes)))
    return { done: `${writes} writes of 100 kB at once, five times`, figures, wrongs: [] }
  },
}

if (import.meta.main) await runAlone(largeBatches)
