/** What the tests of the extended protocol share. */
import * as v from 'valibot'
import { type BatchLine, parseBatchLine } from '../../src/protocol/batch.ts'
import { cancelResponse } from '../../src/protocol/cancel.ts'
import type { ExecutionResponseBody } from '../../src/protocol/execution.ts'
import { parseContainerStatus } from '../../src/protocol/health.ts'
import { baseUrl } from './support.ts'

/** Whatever answers requests: a sandbox's handler, or `fetch` with a server's address. */
export interface Served {
  readonly handler: (request: Request) => Promise<Response>
  readonly url?: string
}

export async function healthOf({ handler, url = baseUrl }: Served) {
  const status = parseContainerStatus(await (await handler(new Request(`${url}/health`))).json())
  if (status === null) throw new Error('No health')
  return status
}

export interface PostOptions {
  /** The value of `If-Ledger`; `null` leaves it out. Default: the server's own. */
  readonly ledger?: string | null
  readonly signal?: AbortSignal
}

export async function postV2(served: Served, path: string, body: unknown, options: PostOptions = {}) {
  const { ledger = (await healthOf(served)).ledger ?? null, signal } = options
  const headers = { 'content-type': 'application/json', ...(ledger === null ? {} : { 'if-ledger': ledger }) }
  const init = { method: 'POST', headers, body: JSON.stringify(body), ...(signal ? { signal } : {}) }
  return served.handler(new Request((served.url ?? baseUrl) + path, init))
}

/** An item of a batch that runs a command. */
export function command(execution_id: string, text: string, more: object = {}) {
  return { slot_id: 'slot_0', tool: 'bash', args: { command: text }, execution_id, timeout: 20, ...more }
}

/** Each line of an answer as it comes. */
export async function* linesOf(response: Response): AsyncGenerator<BatchLine> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of response.body ?? []) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) yield parseBatchLine(line)
  }
  if (rest !== '') throw new Error(`The answer was cut: ${rest}`)
}

/** A whole answer: its results in the order in which they came. Throws when it was cut. */
export async function resultsOf(response: Response): Promise<ExecutionResponseBody[]> {
  const lines = await Array.fromAsync(linesOf(response))
  const results = lines.flatMap((line) => (line.kind === 'result' ? [line.value] : []))
  const last = lines.at(-1)
  if (last?.kind !== 'done' || last.value.count !== results.length) throw new Error('The answer was cut')
  return results
}

/** Posts a batch and reads its whole answer. */
export async function batch(served: Served, items: readonly unknown[], options: PostOptions = {}) {
  return resultsOf(await postV2(served, '/v2/batch', items, options))
}

export async function cancel(served: Served, ids: readonly string[]) {
  return v.parse(cancelResponse, await (await postV2(served, '/cancel', { execution_ids: ids })).json())
}

/** Resolves when so many calls run. */
export async function begun(served: Served, count: number): Promise<void> {
  while ((await healthOf(served)).executing !== count) await Bun.sleep(2)
}
