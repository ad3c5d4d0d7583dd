/** Floor 3: one post over the transport, and what it means for each of its calls. Browser compatible. */
import * as v from 'valibot'
import { matchOne, matchResults } from '../batching/match-results.ts'
import type { Settlement } from '../batching/settlement.ts'
import { describeThrown } from '../errors.ts'
import type { Exchange, Transport, TransportRequest } from '../ports/transport.ts'
import {
  archiveArtifactsResponse,
  listArtifactsResponse,
  readArtifactResponse,
} from '../protocol/artifacts.ts'
import { batchResponse } from '../protocol/batch.ts'
import { executionResponse } from '../protocol/execution.ts'
import { verdictOn, verdictOnRead } from '../retrying/verdict.ts'
import type { Delivery } from './delivery.ts'
import { deliverFile } from './file-wire.ts'
import type { Post } from './post.ts'
import { type AnswerListener, deliverStream } from './stream-wire.ts'

/** Bytes of an answer that are read at most. 5 MB of artifact, escaped, fit; so does all that a full batch can print. */
const maxAnswerBytes = 32 * 1024 * 1024

/** More than one call's answer can have: 50,000 characters, escaped, and its metadata. */
const callAnswerBytes = 1024 * 1024

/** Sends a post and reads its answer. Never rejects, also when the transport breaks its promise not to. */
export async function deliver(
  transport: Transport,
  addr: string,
  post: Post,
  listener: AnswerListener,
): Promise<Delivery> {
  try {
    return await (post.route === '/v2/batch'
      ? deliverStream(transport, addr, post, listener)
      : deliverTo(transport, addr, post, post.route))
  } catch (error) {
    return delivery(post, { kind: 'broken', message: describeThrown(error) }, () => [])
  }
}

async function deliverTo(
  transport: Transport,
  addr: string,
  post: Post,
  route: Exclude<Post['route'], '/v2/batch'>,
): Promise<Delivery> {
  const request = {
    method: 'POST',
    url: addr + post.route,
    body: post.body,
    signal: post.signal,
    maxBytes: answerBudget(post),
  } as const
  switch (route) {
    case '/files':
      return deliverFile(transport, addr, post)
    case '/batch':
      return delivery(
        post,
        await transport.exchange({ ...request, schema: batchResponse }),
        (items, status) => matchResults(post.calls, items, status),
      )
    case '/execute':
    case '/reset':
      return delivery(
        post,
        await transport.exchange({ ...request, schema: executionResponse }),
        (body, status) => post.calls.map((call) => matchOne(call, body, status)),
      )
    case '/artifacts/read':
      return artifactDelivery(transport, post, { ...request, schema: readArtifactResponse })
    case '/artifacts/list':
      return artifactDelivery(transport, post, { ...request, schema: listArtifactsResponse })
    case '/artifacts/archive':
      return artifactDelivery(transport, post, { ...request, schema: archiveArtifactsResponse })
  }
}

function answerBudget({ route, calls }: Post): number {
  return route.startsWith('/artifacts/')
    ? maxAnswerBytes
    : Math.min(maxAnswerBytes, callAnswerBytes * (calls.length + 1))
}

function delivery<T>(
  post: Post,
  exchange: Exchange<T>,
  match: (value: T, status: number) => Settlement[],
  judge = verdictOn,
): Delivery {
  if (exchange.kind === 'ok')
    return { kind: 'delivered', settlements: match(exchange.value, exchange.status) }
  const verdict = judge(exchange)
  if (verdict.kind !== 'settle') return verdict
  const { failure } = verdict
  return { kind: 'delivered', settlements: post.calls.map(() => failure), failure }
}

const refusal = v.object({ success: v.literal(false), error: v.string() })

/** The artifact routes say what is wrong with a status and a body: that is an answer too. They read, and may be asked again. */
async function artifactDelivery<T>(
  transport: Transport,
  post: Post,
  request: TransportRequest<T>,
): Promise<Delivery> {
  const exchange = await transport.exchange(request)
  const answered = (value: T, status: number) =>
    post.calls.map(() => ({ kind: 'answered', value, status }) as const)
  if (exchange.kind === 'http-error' && exchange.retryAfterMs === undefined && v.is(refusal, exchange.body)) {
    const parsed = v.safeParse(request.schema, exchange.body)
    if (parsed.success) return { kind: 'delivered', settlements: answered(parsed.output, exchange.status) }
  }
  return delivery(post, exchange, answered, verdictOnRead)
}
