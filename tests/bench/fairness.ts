/**
 * Fast `bash` calls beside a slow one, on one container: how many of them wait for it, and what the others take against
 * one POST per call: on a scripted base server, on a scripted one that answers as calls end, or on ours, with bubblewrap or
 * with no isolation. `bun tests/bench/fairness.ts [--rounds N] [--server base|extended|real|bare]`
 */
import { parseArgs } from 'node:util'
import { SandboxExecutor } from '../../mod.ts'
import { startSandboxServer } from '../../src/server/mod.ts'
import { type BaseServer, startBaseServer } from '../support/base-server.ts'
import { startExtendedServer } from '../support/extended-server.ts'
import { spreadOf } from './measure.ts'

const slots = 64

/** What came of one slow call and 63 fast ones. */
export interface Fairness {
  /** Fast calls that ended after the slow one. */
  readonly waited: number
  /** Milliseconds of each fast call. */
  readonly fastMs: readonly number[]
}

/** Makes the call of a slot; slot 0 has the slow one. */
type MakeCall = (slot: number, command: string) => Promise<unknown>

/** All 64 calls at once; `ended` is told of each as it ends. */
export async function besideSlow(
  make: MakeCall,
  ended: (slot: number) => void = () => {},
): Promise<Fairness> {
  const order: number[] = []
  const fastMs: number[] = []
  const start = performance.now()
  const all = Array.from({ length: slots }, async (_, slot) => {
    await make(slot, slot === 0 ? 'slow' : 'fast')
    order.push(slot)
    if (slot !== 0) fastMs.push(performance.now() - start)
    ended(slot)
  })
  await Promise.all(all)
  return { waited: order.length - 1 - order.indexOf(0), fastMs }
}

/** By `execute`. */
export function byExecutor(executor: SandboxExecutor, url: string): MakeCall {
  const mine = executor.slots(url, slots)
  return async (index, command) => {
    const slot = mine[index]
    if (slot === undefined) throw new RangeError(`No slot ${index}`)
    const result = await executor.execute(slot, 'bash', { command })
    if (!result.success) throw new Error(result.error)
  }
}

/** By one POST per call, without this module. */
export function byFetch(url: string): MakeCall {
  return async (slot, command) => {
    const body = { slot_id: `slot_${slot}`, tool: 'bash', args: { command }, timeout: 30 }
    const init = { method: 'POST', body: JSON.stringify({ ...body, execution_id: crypto.randomUUID() }) }
    await (await fetch(`${url}/execute`, init)).json()
  }
}

/** A server whose calls take as long as this says. */
export function serverOf(duration: (command: unknown) => Promise<void>): BaseServer {
  return startBaseServer({
    slots,
    run: async ({ args }) => {
      await duration(args.command)
      return { output: 'done' }
    },
  })
}

/** The commands for a server, and how long it takes to run them. */
interface Ground extends AsyncDisposable {
  readonly url: string
  readonly name: string
  readonly commands: { readonly slow: string; readonly fast: string }
  /** Rounds without a slow call right before each measured one: a process that makes calls all the time is warm. */
  readonly warmUps: number
}

function extended(): Ground {
  const server = startExtendedServer({
    run: async ({ args }) => {
      if (args.command === 'slow') await Bun.sleep(1_000)
      return { output: 'done' }
    },
  })
  return {
    url: server.url,
    name: 'scripted extended server, 1,000 ms beside none',
    commands: { slow: 'slow', fast: 'fast' },
    warmUps: 5,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

function scripted(): Ground {
  const server = serverOf((command) => Bun.sleep(command === 'slow' ? 1_500 : 5))
  return {
    url: server.url,
    name: 'scripted base server, 1,500 ms beside 5 ms',
    commands: { slow: 'slow', fast: 'fast' },
    warmUps: 5,
    [Symbol.asyncDispose]: () => server.stop(),
  }
}

async function real(isolation: 'bubblewrap' | 'none'): Promise<Ground> {
  const server = await startSandboxServer({ slots, isolation })
  return {
    url: server.url,
    name: `our server with isolation ${isolation}, \`sleep 1\` beside \`true\``,
    commands: { slow: 'sleep 1', fast: 'true' },
    // While the slow call runs the server makes the sandboxes for the next round; after a quick one it would be late.
    warmUps: 0,
    [Symbol.asyncDispose]: () => server.stop(),
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string', default: '7' }, server: { type: 'string', default: 'base' } },
  })
  const grounds: Record<string, () => Ground | Promise<Ground>> = {
    base: scripted,
    extended,
    real: () => real('bubblewrap'),
    bare: () => real('none'),
  }
  const start = grounds[values.server]
  if (start === undefined)
    throw new RangeError(`--server takes ${Object.keys(grounds).join(', ')}, not ${values.server}`)
  await using ground = await start()
  let posts = 0
  let measuredPosts = 0
  await using executor = new SandboxExecutor({
    onEvent: ({ type }) => {
      if (type === 'post.started') posts += 1
    },
  })
  await using unbatched = new SandboxExecutor({ batching: { maxCalls: 1 } })
  const ways = {
    executor: byExecutor(executor, ground.url),
    unbatched: byExecutor(unbatched, ground.url),
    fetch: byFetch(ground.url),
  }
  const waited: number[] = []
  const medians: Record<keyof typeof ways, number[]> = { executor: [], unbatched: [], fetch: [] }
  const quickly =
    (name: keyof typeof ways): MakeCall =>
    (slot) =>
      ways[name](slot, ground.commands.fast)
  const measured = async (name: keyof typeof ways, commands: Ground['commands']) => {
    const make: MakeCall = (slot, kind) => ways[name](slot, kind === 'slow' ? commands.slow : commands.fast)
    for (let round = 0; round < ground.warmUps; round += 1) await besideSlow(quickly(name))
    const before = posts
    const fairness = await besideSlow(make)
    measuredPosts += posts - before
    return { waited: fairness.waited, median: spreadOf(fairness.fastMs).median }
  }
  for (let round = 0; round < (ground.warmUps === 0 ? 2 : 40); round += 1) {
    for (const name of ['executor', 'unbatched', 'fetch'] as const) await besideSlow(quickly(name))
  }
  // After the last of them the server still makes sandboxes.
  await Bun.sleep(1_000)
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const ours = await measured('executor', ground.commands)
    const alone = await measured('unbatched', ground.commands)
    const theirs = await measured('fetch', ground.commands)
    waited.push(ours.waited)
    medians.executor.push(ours.median)
    medians.unbatched.push(alone.median)
    medians.fetch.push(theirs.median)
  }
  console.log(`One slow bash call and 63 fast ones; ${ground.name}:`)
  console.log(`waited for the slow one, by round: ${waited.join(', ')}`)
  console.log(`calls per post: ${((slots * waited.length) / measuredPosts).toFixed(1)}`)
  const against = (theirs: readonly number[]) => {
    const ratios = medians.executor.map((ours, round) => ours / (theirs[round] ?? NaN))
    const { median, min, max } = spreadOf(ratios)
    return `${ms(theirs)}; ratio ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`
  }
  console.log(`the median of all 63: ${ms(medians.executor)}`)
  console.log(`one POST per call, the same client without batching: ${against(medians.unbatched)}`)
  console.log(`one POST per call, plain fetch: ${against(medians.fetch)}`)
}

function ms(values: readonly number[]): string {
  return `${spreadOf(values).median.toFixed(1)} ms`
}

if (import.meta.main) await main()
