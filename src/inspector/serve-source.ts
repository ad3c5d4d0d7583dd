/** Floor 3: the inspector's own server: the page, a trace, and what comes after it. Nothing can be changed through it. */
import { describeThrown, SandboxError } from '../errors.ts'
import { answer, plain, refusal } from './door.ts'
import type { LiveSource } from './live-source.ts'
import { pageDocument } from './page-document.ts'
import { eventStream, traceStream } from './streams.ts'

/** Where to listen. */
export interface Listening {
  readonly host: string
  readonly port: number
}

/** A page that is being served. */
export interface InspectorPage {
  /** Where it is, as in `http://127.0.0.1:41234/`. */
  readonly url: string
  /** Closes the page's port and what viewers read. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export function serveSource(source: LiveSource, { host, port }: Listening): InspectorPage {
  const server = listening(source, { host, port })
  const name = host.includes(':') ? `[${host}]` : host
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= server.stop(true)
    return stopped
  }
  return { url: `http://${name}:${server.port}/`, stop, [Symbol.asyncDispose]: stop }
}

function listening(source: LiveSource, { host, port }: Listening) {
  try {
    return Bun.serve({
      hostname: host,
      port,
      fetch: (request, server) => {
        server.timeout(request, 0)
        return refusal(request) ?? route(request, source)
      },
      error: () => plain(500, 'The inspector could not answer'),
    })
  } catch (thrown) {
    const reason = describeThrown(thrown)
    throw new SandboxError('server', `Cannot show the inspector on ${host}:${port}: ${reason}`, {
      cause: thrown,
    })
  }
}

/** Three slots, one at work. */
const icon =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><g fill="none" stroke="#7f8a9c" stroke-width="1.5"><rect x="1" y="1" width="6" height="6" rx="1.5"/><rect x="9" y="9" width="6" height="6" rx="1.5"/><rect x="1" y="9" width="6" height="6" rx="1.5"/></g><rect x="9" y="1" width="6" height="6" rx="1.5" fill="#2f7df6"/></svg>'

async function route(request: Request, source: LiveSource): Promise<Response> {
  const url = new URL(request.url)
  switch (url.pathname) {
    case '/': {
      const { html, policy } = await pageDocument()
      return answer(html, 'text/html; charset=utf-8', { headers: { 'content-security-policy': policy } })
    }
    case '/icon.svg':
      return answer(icon, 'image/svg+xml')
    case '/trace.jsonl':
      return answer(traceStream(source), 'application/x-ndjson', {
        headers: { 'content-disposition': 'attachment; filename="trace.jsonl"' },
      })
    case '/events':
      // A page of an earlier program at this address comes again: by this answer it knows that its program has ended.
      if (isOfAnother(url, source)) return new Response(null, { status: 204 })
      return answer(eventStream(source, positionOf(request, url), request.signal), 'text/event-stream')
    default:
      return plain(404, 'Nothing is here')
  }
}

function isOfAnother(url: URL, { startedAt }: LiveSource): boolean {
  const wanted = url.searchParams.get('of')
  return wanted !== null && wanted !== String(startedAt)
}

/** A browser that was cut off says where it was; before that, the page does. */
function positionOf(request: Request, url: URL): number {
  const text = request.headers.get('last-event-id') ?? url.searchParams.get('after') ?? '0'
  return /^\d{1,15}$/.test(text) ? Number(text) : 0
}
