/** Floor 3: one `POST /v2/batch`: its answer, read line by line as its calls end. Browser compatible. */
import { type Failed, unknownOutcome } from '../batching/settlement.ts'
import { StreamedResults, type Taken } from '../batching/streamed-results.ts'
import { describeThrown } from '../errors.ts'
import type { Transport } from '../ports/transport.ts'
import { parseBatchLine } from '../protocol/batch.ts'
import { LineDecoder } from '../protocol/line-decoder.ts'
import { ledgerHeader } from '../protocol/routes.ts'
import { verdictOnStream } from '../retrying/verdict.ts'
import type { Delivery } from './delivery.ts'
import type { PendingCall } from './pending-call.ts'
import type { Post } from './post.ts'

/** More than a result can have: output, stdout and stderr of 50,000 characters each, escaped, and metadata. */
const lineCharacters = 2 * 1024 * 1024

/** What is read of an answer at most, live output apart, for each of its calls. */
const callCharacters = 1024 * 1024

const pieceBytes = 256 * 1024

/** Who is told of an answer as it comes. */
export interface AnswerListener {
  /** The answer has begun. */
  answering(): void
  /** A piece of it is here, which may hold many results. */
  came(): void
  take(taken: NonNullable<Taken<PendingCall>>): void
}

/** Sends a post and tells its results as they come. The delivery is about the calls that have none at the end. */
export async function deliverStream(
  transport: Transport,
  addr: string,
  post: Post,
  listener: AnswerListener,
): Promise<Delivery> {
  const { body, signal, terms } = post
  if (transport.stream === undefined || terms === undefined)
    throw new TypeError('There is nothing to stream by')
  const headers = { [ledgerHeader]: terms.ledger }
  const streamed = await transport.stream({ method: 'POST', url: addr + post.route, body, signal, headers })
  if (streamed.kind !== 'ok') return deliveryOf(post, verdictOnStream(streamed))
  listener.answering()
  const results = new StreamedResults(post.calls, streamed.status)
  const maxCharacters = callCharacters * (post.calls.length + 1)
  const ending = await readLines(streamed.body, results, maxCharacters, listener)
  const failure = failureOf(ending, results.complaint, streamed.status)
  if (signal.aborted || post.waiting === 0) return delivered(post, signal.aborted ? undefined : failure)
  return ending.kind === 'too-large'
    ? delivered(post, failure)
    : { kind: 'again', failure: failure ?? missing(streamed.status) }
}

/** How the reading of an answer ended. */
type Ending =
  | { readonly kind: 'whole' }
  | { readonly kind: 'cut'; readonly message: string }
  /** It, or one of its lines, is larger than what is read; the same would come again. */
  | { readonly kind: 'too-large'; readonly message: string }

async function readLines(
  body: ReadableStream<Uint8Array>,
  results: StreamedResults<PendingCall>,
  maxCharacters: number,
  listener: AnswerListener,
): Promise<Ending> {
  const lines = new LineDecoder(lineCharacters)
  const reader = body.getReader()
  let live = 0
  try {
    for (;;) {
      const chunk = await reader.read()
      if (chunk.done) break
      listener.came()
      for (const piece of pieces(chunk.value)) {
        for (const line of lines.push(piece)) {
          if (line === '') continue
          const taken = results.take(parseBatchLine(line))
          if (taken?.kind === 'live') live += line.length
          if (taken !== undefined) listener.take(taken)
        }
        if (lines.characters - live > maxCharacters) {
          await reader.cancel()
          return { kind: 'too-large', message: `The answer is larger than ${maxCharacters} characters` }
        }
      }
    }
  } catch (error) {
    if (!results.isDone) return { kind: 'cut', message: `The answer was cut: ${describeThrown(error)}` }
  }
  if (lines.overlong > 0) {
    return { kind: 'too-large', message: `A result is larger than ${lineCharacters} characters` }
  }
  return results.isDone
    ? { kind: 'whole' }
    : { kind: 'cut', message: `The answer was cut after ${lines.characters} characters` }
}

function failureOf(ending: Ending, complaint: string | undefined, status: number): Failed | undefined {
  switch (ending.kind) {
    case 'too-large':
      return unknownOutcome('too-large', ending.message, status)
    case 'cut':
      return unknownOutcome('unreachable', ending.message, status)
    case 'whole':
      return complaint === undefined ? undefined : unknownOutcome('bad-response', complaint, status)
  }
}

function missing(status: number): Failed {
  return unknownOutcome('missing-result', 'Missing result in batch response', status)
}

function deliveryOf(post: Post, verdict: ReturnType<typeof verdictOnStream>): Delivery {
  return verdict.kind === 'settle' ? delivered(post, verdict.failure) : verdict
}

/** The calls that still wait end with the failure; the others have ended. */
function delivered(post: Post, failure: Failed | undefined): Delivery {
  return failure === undefined
    ? { kind: 'delivered', settlements: [] }
    : { kind: 'delivered', settlements: post.calls.map(() => failure), failure }
}

/** A chunk may be all that came in a while: no more of it is decoded than is read. */
function* pieces(chunk: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < chunk.length; at += pieceBytes) yield chunk.subarray(at, at + pieceBytes)
}
