/** An extended container's health, and answers to `POST /v2/batch` that a test gives line by line. */
import type { ReceivedCall, ReceivedPost } from './scripted-container.ts'
import { success } from './scripted-container.ts'
import { the } from './the.ts'

export const ledger = 'ledger-1'

const features = ['ndjson', 'idempotency', 'cancel', 'detach', 'live-output', 'bash-io', 'files']

/** What `GET /health` of an extended server says. */
export function extendedHealth(more: object = {}): Response {
  return Response.json({ status: 'ok', protocol: 2, ledger, features, ...more })
}

/** The answer to one post, as it is given. */
export interface AnswerStream {
  /** Any line: text as it is, anything else as JSON. */
  line(value: unknown): void
  result(call: ReceivedCall | undefined, more?: object): void
  live(call: ReceivedCall | undefined, stream: 'stdout' | 'stderr', data: string, offset: number): void
  /** The last line, and the end. */
  done(count: number): void
  /** The connection breaks. */
  cut(): void
  /** The body ends as if it were whole. */
  end(): void
  /** Resolves when the client has hung up. */
  readonly hungUp: Promise<void>
}

/** Begins to answer a post. */
export function streamTo(post: ReceivedPost | undefined): AnswerStream {
  if (post === undefined) throw new Error('There is no such post')
  const { writable, readable } = new TransformStream<Uint8Array, Uint8Array>()
  const writer = writable.getWriter()
  const send = (text: string) => void writer.write(new TextEncoder().encode(text)).catch(() => {})
  const line = (value: unknown) => send(typeof value === 'string' ? value : `${JSON.stringify(value)}\n`)
  post.answer(new Response(readable, { headers: { 'content-type': 'application/x-ndjson' } }))
  return {
    line,
    result: (call, more = {}) => line({ ...success(the(call)), ...more }),
    live: (call, stream, data, offset) =>
      line({ execution_id: the(call).execution_id, stream, data, offset }),
    done: (count) => {
      line({ done: true, count })
      void writer.close()
    },
    cut: () => void writer.abort(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
    end: () => void writer.close(),
    hungUp: writer.closed.then(
      () => {},
      () => {},
    ),
  }
}
