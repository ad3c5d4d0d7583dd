/** Floor 3: one file, sent or fetched, over the transport. Browser compatible. */
import * as v from 'valibot'
import type { Failed } from '../batching/settlement.ts'
import type { Streamed, Transport } from '../ports/transport.ts'
import { readBounded } from '../protocol/read-bounded.ts'
import { filesRoute } from '../protocol/routes.ts'
import { verdictOn, verdictOnRead } from '../retrying/verdict.ts'
import type { Delivery } from './delivery.ts'
import { FileAnswer } from './file-answer.ts'
import type { FileRequest } from './pending-call.ts'
import type { Post } from './post.ts'

/** What is read of the answer to an upload. */
const answerBytes = 65_536

const refusal = v.object({ success: v.literal(false), error: v.string() })

export async function deliverFile(transport: Transport, addr: string, post: Post): Promise<Delivery> {
  const [call] = post.calls
  const file = call?.file
  const route = file && filesRoute(call.slot.slotId, file.path)
  if (transport.stream === undefined || file === undefined || route === undefined)
    throw new TypeError('There is no file to send')
  const { method, body, rest } = file
  const streamed = await transport.stream({
    method,
    url: addr + route,
    signal: post.signal,
    ...(body === undefined ? {} : { body, headers: { 'content-type': 'application/octet-stream' } }),
    ...(rest === undefined ? {} : { headers: { range: `bytes=${rest.bytes}-`, 'if-range': rest.etag } }),
  })
  if (streamed.kind !== 'ok') return failedDelivery(file, streamed)
  const answer = answerOf(streamed)
  if (method === 'PUT') await readBounded(new Response(streamed.body), answerBytes)
  return { kind: 'delivered', settlements: [{ kind: 'answered', status: streamed.status, value: answer }] }
}

function failedDelivery(file: FileRequest, streamed: Exclude<Streamed, { kind: 'ok' }>): Delivery {
  if (streamed.kind === 'http-error' && streamed.retryAfterMs === undefined && v.is(refusal, streamed.body)) {
    const { body, status } = streamed
    return { kind: 'delivered', settlements: [{ kind: 'answered', status, value: body }] }
  }
  const verdict = file.method === 'GET' ? verdictOnRead(streamed) : verdictOn(streamed)
  // What has been read of a stream cannot be sent again.
  if (verdict.kind === 'settle' || file.body instanceof ReadableStream) return settled(verdict.failure)
  return verdict
}

function settled(failure: Failed): Delivery {
  return { kind: 'delivered', settlements: [failure], failure }
}

function answerOf({ headers, body }: Extract<Streamed, { kind: 'ok' }>): FileAnswer {
  const length = headers.has('content-encoding') ? null : headers.get('content-length')
  const told = headers.get('x-file-size') ?? length ?? ''
  const size = /^\d+$/.test(told) ? Number(told) : null
  const sha256 = /^"([\da-f]{64})"$/.exec(headers.get('etag') ?? '')?.[1] ?? null
  const from = /^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1] ?? '0'
  return new FileAnswer(size, sha256, body, Number(from))
}
