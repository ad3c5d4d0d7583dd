/** Ways to make the same calls. Each `call` is one tool call: it resolves with what its client gives, the output in it. */
import { type ExecuteOptions, SandboxExecutor, SlotPool, staticDiscovery } from '../../mod.ts'
import { type Inspector, startInspector } from '../../src/inspector/mod.ts'
import { batshit, dataloader, fetchPerCall, handBatched, kyPerCall } from './peers.ts'

export interface Contestant extends AsyncDisposable {
  /** Makes one call in the slot of this index; one call at a time in each. */
  call(slot: number): Promise<{ readonly output: string }>
}

export const inFlightCounts = [1, 64, 1_024, 16_384] as const
export type InFlight = (typeof inFlightCounts)[number]

/** Calls of one figure: fixed, so that every round does the same work. */
export type Work = Readonly<Record<InFlight, number>>

export interface Entry {
  readonly name: string
  readonly work: Work
  /** `inFlight` slots will be asked for. */
  readonly make: (url: string, inFlight: number) => Contestant | Promise<Contestant>
}

const many: Work = { 1: 2_000, 64: 64_000, 1024: 131_072, 16384: 131_072 }
const few: Work = { 1: 2_000, 64: 8_000, 1024: 16_384, 16384: 32_768 }

export const limitName = 'fetch, batched by hand'

export const entries: readonly Entry[] = [
  { name: limitName, work: many, make: handBatched },
  { name: 'fetch per call', work: few, make: fetchPerCall },
  { name: 'ky per call', work: few, make: kyPerCall },
  { name: 'dataloader and ky', work: many, make: dataloader },
  { name: 'batshit and ky', work: many, make: batshit },
  { name: '`execute`', work: many, make: ours(() => undefined) },
  { name: '`execute`, a shared signal', work: many, make: ours(sharedSignal()) },
  {
    name: '`execute`, a signal per call',
    work: many,
    make: ours(() => ({ signal: new AbortController().signal })),
  },
  {
    name: '`execute`, `bash` of unknown duration',
    work: few,
    make: ours(() => undefined, 'bash', { command: 'true' }),
  },
  {
    name: '`execute`, extended server',
    work: many,
    make: (url, inFlight) => ours(() => undefined)(`${url}/extended`, inFlight),
  },
  { name: '`pool.execute`', work: many, make: throughPool },
  { name: '`execute`, inspector attached', work: many, make: (url, inFlight) => inspected(url, inFlight) },
  { name: '`execute`, inspector with a viewer', work: many, make: viewed },
]

function ours(
  options: () => ExecuteOptions | undefined,
  tool = 'write_file',
  args: Readonly<Record<string, unknown>> = { path: 'a', content: 'b' },
): Entry['make'] {
  return (url, inFlight) => fromExecutor(new SandboxExecutor(), url, inFlight, options, tool, args)
}

function sharedSignal(): () => ExecuteOptions {
  const { signal } = new AbortController()
  return () => ({ signal })
}

function fromExecutor(
  executor: SandboxExecutor,
  url: string,
  inFlight: number,
  options: () => ExecuteOptions | undefined,
  tool: string,
  args: Readonly<Record<string, unknown>>,
): Contestant {
  const slots = executor.slots(url, inFlight)
  const call = (index: number) => {
    const slot = slots[index]
    if (slot === undefined) throw new RangeError(`No slot ${index}`)
    return executor.execute(slot, tool, args, options())
  }
  return { call, [Symbol.asyncDispose]: () => executor.close() }
}

async function throughPool(url: string, inFlight: number): Promise<Contestant> {
  const pool = await SlotPool.start({ discovery: staticDiscovery([url]), slotsPerContainer: inFlight })
  const leases = await Promise.all(Array.from({ length: inFlight }, () => pool.acquire()))
  const call = (index: number) => {
    const lease = leases[index]
    if (lease === undefined) throw new RangeError(`No lease ${index}`)
    return pool.execute(lease, 'write_file', { path: 'a', content: 'b' })
  }
  const close = async () => {
    await Promise.all(leases.map((lease) => lease.release({ reset: false })))
    await pool.stop()
  }
  return { call, [Symbol.asyncDispose]: close }
}

/** The viewer reads all that the page would, in a process of its own; it draws nothing. */
async function viewed(url: string, inFlight: number): Promise<Contestant> {
  const inspector = await startInspector()
  const reading = `for await (const chunk of (await fetch('${inspector.url}events')).body) if (!chunk) break`
  const viewer = Bun.spawn([process.execPath, '-e', reading], { stdout: 'ignore', stderr: 'ignore' })
  const { call, ...rest } = await inspected(url, inFlight, inspector)
  const close = async () => {
    await rest[Symbol.asyncDispose]()
    viewer.kill()
    await viewer.exited
  }
  return { call, [Symbol.asyncDispose]: close }
}

async function inspected(url: string, inFlight: number, inspector?: Inspector): Promise<Contestant> {
  const watching = inspector ?? (await startInspector())
  const executor = new SandboxExecutor({ inspect: watching.inspect })
  const inner = fromExecutor(executor, url, inFlight, () => undefined, 'write_file', {
    path: 'a',
    content: 'b',
  })
  const close = async () => {
    await inner[Symbol.asyncDispose]()
    await watching.stop()
  }
  return { call: inner.call, [Symbol.asyncDispose]: close }
}

/** Makes `calls` calls, `inFlight` at a time; `took` is told the milliseconds of each. */
export async function run(
  { call }: Contestant,
  inFlight: number,
  calls: number,
  took: (ms: number) => void = () => {},
): Promise<void> {
  let left = calls
  const worker = async (slot: number) => {
    while (left > 0) {
      left -= 1
      const begun = performance.now()
      const { output } = await call(slot)
      took(performance.now() - begun)
      if (output !== 'done') throw new Error(`Expected "done", got ${JSON.stringify(output)}`)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, slot) => worker(slot)))
}
