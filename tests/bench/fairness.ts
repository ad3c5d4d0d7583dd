/**
 * Fast `bash` calls beside a slow one, on one base-level container: how many of them wait for it, and what the others
 * take against one POST per call. `bun tests/bench/fairness.ts [--rounds N]`
 */
import { parseArgs } from 'node:util'
import { SandboxExecutor } from '../../mod.ts'
import { type BaseServer, startBaseServer } from '../support/base-server.ts'
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

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } })
  await using server = serverOf((command) => Bun.sleep(command === 'slow' ? 1_500 : 5))
  await using executor = new SandboxExecutor()
  const waited: number[] = []
  const medians: Record<'executor' | 'fetch', number[]> = { executor: [], fetch: [] }
  const measured = async (name: keyof typeof medians, make: MakeCall) => {
    const fairness = await besideSlow(make)
    medians[name].push(spreadOf(fairness.fastMs).median)
    return fairness
  }
  await besideSlow(byExecutor(executor, server.url))
  for (let round = 0; round < Number(values.rounds); round += 1) {
    waited.push((await measured('executor', byExecutor(executor, server.url))).waited)
    await measured('fetch', byFetch(server.url))
  }
  const ratios = medians.executor.map((ms, round) => ms / (medians.fetch[round] ?? NaN))
  const ratio = spreadOf(ratios)
  console.log(`Beside one slow bash call (1,500 ms), of 63 fast ones (5 ms) on the same base server:`)
  console.log(`waited for the slow one, by round: ${waited.join(', ')}`)
  console.log(
    `the median of all 63: ${ms(medians.executor)}; one POST per call: ${ms(medians.fetch)}; ratio ${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
  )
}

function ms(values: readonly number[]): string {
  return `${spreadOf(values).median.toFixed(1)} ms`
}

if (import.meta.main) await main()
