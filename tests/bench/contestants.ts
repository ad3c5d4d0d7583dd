/** Ways to make the same calls. Each `call` is one tool call: it resolves with the call's output. */
import { SandboxExecutor } from '../../mod.ts'

export interface Contestant extends AsyncDisposable {
  /** Makes one call in the slot of this index; one call at a time in each. */
  call(slot: number): Promise<string>
}

export interface Entry {
  readonly name: string
  /** Calls of one figure at 1, 64 and 1,024 in flight: fixed, so that every round does the same work. */
  readonly work: Readonly<Record<InFlight, number>>
  readonly make: (url: string) => Contestant
}

export const inFlightCounts = [1, 64, 1_024] as const
export type InFlight = (typeof inFlightCounts)[number]

const many = { 1: 2_000, 64: 32_000, 1024: 65_536 }
const few = { 1: 2_000, 64: 8_000, 1024: 16_384 }

export const limitName = 'fetch, batched by hand'

export const entries: readonly Entry[] = [
  { name: limitName, work: many, make: handBatched },
  { name: 'fetch, one per call', work: few, make: onePerCall },
  { name: 'sandbox-slots, `write_file`', work: many, make: ours('write_file', { path: 'a', content: 'b' }) },
  { name: 'sandbox-slots, `bash`', work: few, make: ours('bash', { command: 'true' }) },
]

const maxCalls = 256
const nothingToClose = { [Symbol.asyncDispose]: () => Promise.resolve() }

/** What the floor server answers to a call; those who race without a net do not check it. */
interface Answer {
  readonly output: string
}

function request(slot: number): object {
  return {
    slot_id: `slot_${slot}`,
    tool: 'write_file',
    args: { path: 'a', content: 'b' },
    execution_id: crypto.randomUUID(),
    timeout: 30,
  }
}

async function posted<T>(url: string, body: unknown): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return response.json()
}

/** The limit: a promise and a UUID for each call, one POST a tick, no check, no care. */
function handBatched(url: string): Contestant {
  let waiting: { request: object; resolve: (output: string) => void }[] = []
  const post = async (batch: typeof waiting) => {
    const answers = await posted<readonly Answer[]>(
      `${url}/batch`,
      batch.map((each) => each.request),
    )
    for (const [index, { resolve }] of batch.entries()) resolve(answers[index]?.output ?? '')
  }
  const flush = () => {
    const batch = waiting
    waiting = []
    if (batch.length > 0) void post(batch)
  }
  const call = (slot: number) => {
    const { promise, resolve } = Promise.withResolvers<string>()
    if (waiting.length === 0) setImmediate(flush)
    waiting.push({ request: request(slot), resolve })
    if (waiting.length === maxCalls) flush()
    return promise
  }
  return { call, ...nothingToClose }
}

function onePerCall(url: string): Contestant {
  return {
    call: async (slot) => (await posted<Answer>(`${url}/execute`, request(slot))).output,
    ...nothingToClose,
  }
}

function ours(tool: string, args: Readonly<Record<string, unknown>>): Entry['make'] {
  return (url) => {
    const executor = new SandboxExecutor()
    const slots = executor.slots(url, Math.max(...inFlightCounts))
    return {
      call: async (index) => {
        const slot = slots[index]
        if (slot === undefined) throw new RangeError(`No slot ${index}`)
        const result = await executor.execute(slot, tool, args)
        if (!result.success) throw new Error(result.error)
        return result.output
      },
      [Symbol.asyncDispose]: () => executor.close(),
    }
  }
}

/** Makes `calls` calls, `inFlight` at a time. */
export async function run({ call }: Contestant, inFlight: number, calls: number): Promise<void> {
  let left = calls
  const worker = async (slot: number) => {
    while (left > 0) {
      left -= 1
      const output = await call(slot)
      if (output !== 'done') throw new Error(`Expected "done", got ${JSON.stringify(output)}`)
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, slot) => worker(slot)))
}
