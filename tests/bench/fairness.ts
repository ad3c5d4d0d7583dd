/**
 * Fast `bash` calls beside a slow one, on one container: how many of them wait for it, and what the others take against
 * one POST per call: on a scripted base server, on a scripted one that answers as calls end, or on ours, with bubblewrap or
 * with no isolation, or with reads instead of commands.
 * `bun tests/bench/fairness.ts [--rounds N] [--server base|extended|real|bare|files]`
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

/** What is called. */
interface Call {
  readonly tool: string
  readonly args: Readonly<Record<string, string>>
}

interface Calls {
  readonly slow: Call
  readonly fast: Call
}

const bash = (command: string): Call => ({ tool: 'bash', args: { command } })

const scriptedCalls: Calls = { slow: bash('slow'), fast: bash('fast') }

/** Makes the call of a slot. */
type MakeCall = (slot: number, call: Call) => Promise<unknown>

/** All 64 calls at once, the slow one in slot 0; `ended` is told of each as it ends. */
export async function besideSlow(
  make: MakeCall,
  ended: (slot: number) => void = () => {},
  { slow, fast }: Calls = scriptedCalls,
): Promise<Fairness> {
  const order: number[] = []
  const fastMs: number[] = []
  const start = performance.now()
  const all = Array.from({ length: slots }, async (_, slot) => {
    await make(slot, slot === 0 ? slow : fast)
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
  return async (index, { tool, args }) => {
    const slot = mine[index]
    if (slot === undefined) throw new RangeError(`No slot ${index}`)
    const result = await executor.execute(slot, tool, args)
    if (!result.success) throw new Error(result.error)
  }
}

/** By one POST per call, without this module. */
export function byFetch(url: string): MakeCall {
  return async (slot, call) => {
    const body = { slot_id: `slot_${slot}`, ...call, timeout: 30 }
    const init = { method: 'POST', body: JSON.stringify({ ...body, execution_id: crypto.randomUUID() }) }
    const { success, error } = Object(await (await fetch(`${url}/execute`, init)).json())
    if (success !== true) throw new Error(error)
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

/** A server, and what is called there. */
interface Ground extends AsyncDisposable {
  readonly url: string
  readonly name: string
  readonly calls: Calls
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
    calls: scriptedCalls,
    warmUps: 5,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

function scripted(): Ground {
  const server = serverOf((command) => Bun.sleep(command === 'slow' ? 1_500 : 5))
  return {
    url: server.url,
    name: 'scripted base server, 1,500 ms beside 5 ms',
    calls: scriptedCalls,
    warmUps: 5,
    [Symbol.asyncDispose]: () => server.stop(),
  }
}

async function real(isolation: 'bubblewrap' | 'none', fast = bash('true')): Promise<Ground> {
  const server = await startSandboxServer({ slots, isolation })
  await using executor = new SandboxExecutor()
  const files = executor.slots(server.url, slots).map((slot) => slot.writeFile('f', 'x'))
  for (const { success, error } of await Promise.all(files)) if (!success) throw new Error(error)
  return {
    url: server.url,
    name: `our server with isolation ${isolation}, \`sleep 1\` beside ${fast.args.command ?? fast.tool}`,
    calls: { slow: bash('sleep 1'), fast },
    // While the slow call runs the server makes the sandboxes for the next round; after a quick one it would be late.
    warmUps: fast.tool === 'bash' ? 0 : 5,
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
    files: () => real('bubblewrap', { tool: 'read_file', args: { path: 'f' } }),
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
  const none = () => {}
  const { slow, fast } = ground.calls
  const warmUp = (name: keyof typeof ways) => besideSlow(ways[name], none, { slow: fast, fast })
  const measured = async (name: keyof typeof ways) => {
    for (let round = 0; round < ground.warmUps; round += 1) await warmUp(name)
    const before = posts
    const fairness = await besideSlow(ways[name], none, { slow, fast })
    measuredPosts += posts - before
    return { waited: fairness.waited, median: spreadOf(fairness.fastMs).median }
  }
  for (let round = 0; round < (ground.warmUps === 0 ? 2 : 40); round += 1) {
    for (const name of ['executor', 'unbatched', 'fetch'] as const) await warmUp(name)
  }
  // After the last of them the server still makes sandboxes.
  await Bun.sleep(1_000)
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const ours = await measured('executor')
    const alone = await measured('unbatched')
    const theirs = await measured('fetch')
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
