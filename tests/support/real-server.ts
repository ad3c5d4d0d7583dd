/** Our own server behind a port, at the level of protocol that a test asks for; bash without bubblewrap. */
import type { Feature } from '../../src/protocol/health.ts'
import { createSandbox } from '../../src/server/sandbox.ts'

export const levels = ['extended', 'extended, features off', 'base'] as const
export type Level = (typeof levels)[number]

/** What is left when all that may be switched off is; without it there is no extended server. */
const least: readonly Feature[] = ['ndjson', 'idempotency']

/** What no base server says of itself. */
const extendedKeys = new Set([
  'protocol',
  'features',
  'ledger',
  'ledger_retention',
  'max_body_bytes',
  'max_timeout',
  'detach_grace',
])

export interface RealServer extends AsyncDisposable {
  readonly url: string
  /** Paths of the POSTs that came, in order. */
  readonly posts: readonly string[]
  /** Calls that have begun and not ended. */
  readonly running: number
  readonly handler: (request: Request) => Promise<Response>
}

export async function startRealServer(options: {
  readonly slots: number
  readonly level: Level
}): Promise<RealServer> {
  const { slots, level } = options
  const features = { extended: undefined, 'extended, features off': least, base: [] }[level]
  let running = 0
  const onCall = ({ type }: { readonly type: string }) => {
    running += type === 'started' ? 1 : -1
  }
  const sandbox = await createSandbox(
    { slots, isolation: 'none', onCall },
    features === undefined ? {} : { extended: { features } },
  )
  const posts: string[] = []
  const handler = async (request: Request) => {
    const { pathname } = new URL(request.url)
    if (request.method === 'POST') posts.push(pathname)
    const response = await sandbox.handler(request)
    return pathname === '/health' && level === 'base' ? stripped(response) : response
  }
  const server = Bun.serve({ hostname: '127.0.0.1', port: 0, idleTimeout: 0, fetch: handler })
  return {
    url: server.url.origin,
    posts,
    get running() {
      return running
    },
    handler,
    [Symbol.asyncDispose]: async () => {
      await server.stop(true)
      await sandbox.stop()
    },
  }
}

async function stripped(response: Response): Promise<Response> {
  const fields = Object.entries(Object(await response.json()))
  return Response.json(Object.fromEntries(fields.filter(([key]) => !extendedKeys.has(key))))
}
