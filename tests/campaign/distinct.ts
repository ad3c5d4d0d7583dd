/**
 * Promise 9: nothing grows with the number of ids, signals, names, trajectories and containers that there ever were.
 * `bun tests/campaign/distinct.ts [of each]`
 */
import { createMemoryTransport, SandboxExecutor, SlotPool } from '../../mod.ts'
import type { DiscoveryListeners } from '../../src/ports/discovery.ts'
import { createSandbox } from '../../src/server/sandbox.ts'
import { post } from '../server/support.ts'
import { batch, healthOf, postV2 } from '../server/v2-support.ts'
import { below, type Check, type Figure, runAlone } from './check.ts'

/** What comes to be bounded may fill up: a table of 10,000 names, pages of a cache. */
const maxGrowthMb = 6

function heapMb(): number {
  Bun.gc(true)
  return process.memoryUsage().heapUsed / 1_000_000
}

/** What the heap grows by while all but the first tenth of `count` come by. */
async function growth(
  what: string,
  count: number,
  one: (index: number) => Promise<unknown>,
): Promise<Figure> {
  let before = 0
  for (let index = 0; index < count; index += 1) {
    if (index === Math.floor(count / 10)) before = heapMb()
    await one(index)
  }
  return below(`MB that ${count} ${what} let the heap grow by`, heapMb() - before, maxGrowthMb)
}

async function onServer(count: number): Promise<Figure[]> {
  const sandbox = await createSandbox({ slots: 2, isolation: 'none' })
  const item = { slot_id: 'slot_0', tool: 'read_file', args: { path: 'x' } }
  await healthOf(sandbox)
  const figures = [
    await growth('executionIds on a server', count, (at) =>
      batch(sandbox, [{ ...item, execution_id: `id${at}` }]),
    ),
    await growth('cancellations of unknown ids', count, (at) =>
      postV2(sandbox, '/cancel', { execution_ids: [`gone${at}`] }),
    ),
    await growth('unknown slots, tools and paths', count, async (at) => {
      await post(sandbox, '/execute', { ...item, slot_id: `slot_${at}x` })
      await post(sandbox, '/execute', { ...item, tool: `tool${at}` })
      await sandbox.handler(new Request(`http://127.0.0.1/files/slot_0/${at}`))
      await sandbox.handler(new Request(`http://127.0.0.1/${at}`))
    }),
  ]
  await sandbox.stop()
  return figures
}

/** A base server at every address. */
async function answer(request: Request): Promise<Response> {
  if (request.method === 'GET') return Response.json({ status: 'ok', slots: 4 })
  return Response.json({ success: true, output: '', error: '', execution_id: null, metadata: {} })
}

async function onClient(count: number): Promise<Figure> {
  await using executor = new SandboxExecutor({ transport: createMemoryTransport(answer) })
  const [slot] = executor.slots('one:1', 1)
  return await growth('executionIds and signals of a client', count, (at) =>
    slot.bash('x', { executionId: `id${at}`, signal: new AbortController().signal }),
  )
}

async function inPool(count: number): Promise<Figure[]> {
  let listeners: DiscoveryListeners | undefined
  const list = (addr: string) => listeners?.onChange([{ addr }])
  await using pool = await SlotPool.start({
    discovery: {
      watch: async (given) => {
        listeners = given
        list('first:1')
      },
    },
    executor: { transport: createMemoryTransport(answer) },
  })
  const trajectories = await growth('trajectories', count, async (at) => {
    await pool.run(`t${at}`, 'bash', { command: 'x' })
    await pool.end(`t${at}`)
  })
  const containers = await growth('containers that came and went', count, async (at) => {
    list(`c${at}:1`)
    await using lease = await pool.acquire()
    await lease.bash('x')
  })
  return [trajectories, containers]
}

export const distinct: Check = {
  name: 'distinct',
  row: '9',
  unit: 'of-each',
  sizes: { full: 20_000, quick: 2_000 },
  run: async (count) => ({
    done: `${count} of each, one after the other`,
    figures: [...(await onServer(count)), await onClient(count), ...(await inPool(count))],
    wrongs: [],
  }),
}

if (import.meta.main) await runAlone(distinct)
