/** How others would make the calls: the limit, one request per call, and the batchers that people use, with ky. */
import { create, windowedFiniteBatchScheduler } from '@yornaath/batshit'
import DataLoader from 'dataloader'
import ky from 'ky'
import type { Contestant } from './contestants.ts'

/** Calls of a batch at most, as our default has it. */
const maxCalls = 256
const nothingToClose = { [Symbol.asyncDispose]: () => Promise.resolve() }
const client = ky.create({ retry: 0, timeout: false })

/** What the floor server answers to a call; those who race without a net do not check it. */
interface Answer {
  readonly output: string
  readonly execution_id: string
}

const missing: Answer = { output: '', execution_id: '' }

interface Request {
  readonly slot_id: string
  readonly execution_id: string
}

function request(slot: number): Request {
  const fixed = { tool: 'write_file', args: { path: 'a', content: 'b' }, timeout: 30 }
  return { slot_id: `slot_${slot}`, execution_id: crypto.randomUUID(), ...fixed }
}

async function fetched<T>(url: string, body: unknown): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
  return response.json()
}

const viaKy = <T>(url: string, body: unknown): Promise<T> => client.post(url, { json: body }).json<T>()

/** The limit: a promise and a UUID for each call, one POST a tick, no check, no care. */
export function handBatched(url: string): Contestant {
  let waiting: { request: Request; resolve: (answer: Answer) => void }[] = []
  const post = async (batch: typeof waiting) => {
    const requests = batch.map((each) => each.request)
    const answers = await fetched<readonly Answer[]>(`${url}/batch`, requests)
    for (const [index, { resolve }] of batch.entries()) resolve(answers[index] ?? missing)
  }
  const flush = () => {
    const batch = waiting
    waiting = []
    if (batch.length > 0) void post(batch)
  }
  // Here, Promise.withResolvers costs three times as much.
  const call = (slot: number) =>
    new Promise<Answer>((resolve) => {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push({ request: request(slot), resolve })
      if (waiting.length === maxCalls) flush()
    })
  return { call, ...nothingToClose }
}

export function fetchPerCall(url: string): Contestant {
  const call = (slot: number) => fetched<Answer>(`${url}/execute`, request(slot))
  return { call, ...nothingToClose }
}

export function kyPerCall(url: string): Contestant {
  const call = (slot: number) => viaKy<Answer>(`${url}/execute`, request(slot))
  return { call, ...nothingToClose }
}

export function dataloader(url: string): Contestant {
  const load = (requests: readonly Request[]) => viaKy<Answer[]>(`${url}/batch`, requests)
  const loader = new DataLoader<Request, Answer>(load, {
    cache: false,
    maxBatchSize: maxCalls,
    batchScheduleFn: setImmediate,
  })
  return { call: (slot) => loader.load(request(slot)), ...nothingToClose }
}

/**
 * 0.14.0 keeps every batch that it has fetched, requests and answers (it marks the next one as complete, not the one that
 * is): that is what grows on its heap.
 */
export function batshit(url: string): Contestant {
  const batcher = create<Answer[], Request, Answer>({
    fetcher: (requests) => viaKy<Answer[]>(`${url}/batch`, requests),
    resolver: indexed(),
    scheduler: windowedFiniteBatchScheduler({ windowMs: 0, maxBatchSize: maxCalls }),
  })
  return { call: (slot) => batcher.fetch(request(slot)), ...nothingToClose }
}

/** Its own resolver by key takes the key for the whole request. */
function indexed() {
  const indexes = new WeakMap<readonly Answer[], Map<string, Answer>>()
  return (answers: readonly Answer[], { execution_id }: Request): Answer => {
    let index = indexes.get(answers)
    if (index === undefined) {
      index = new Map(answers.map((answer) => [answer.execution_id, answer]))
      indexes.set(answers, index)
    }
    return index.get(execution_id) ?? missing
  }
}
