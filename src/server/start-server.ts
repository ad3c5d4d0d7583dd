/** The sandbox on a port. */
import { describeThrown, SandboxError } from '../errors.ts'
import {
  checkServerOptions,
  type SandboxServerOptions,
  type StopOptions,
  sandboxSettings,
} from './options.ts'
import { createSandbox, type Sandbox } from './sandbox.ts'

/** A running sandbox server. */
export interface SandboxServer {
  /** Where it listens, as in `http://127.0.0.1:41234`. */
  readonly url: string
  /** The same without the scheme, as in `127.0.0.1:41234`. */
  readonly addr: string
  /**
   * Refuses new calls (503, `Retry-After`), gives those that it has accepted `drainTimeoutMs` (default 0), kills what is
   * left, delivers the answers, closes the port and removes the temporary directory. Resolves when no process and no file
   * is left. May be called more than once: while it drains, `stop()` kills at once. Rejects with a `SandboxUsageError`
   * for wrong options.
   */
  stop(options?: StopOptions): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Bun's own limit, beyond all of ours: bodies are counted where they are read, and refused with a sentence. Bun would
 * answer with an empty body and cut the connection.
 */
const HARD_BODY_LIMIT = 2 ** 50

/** How long clients may take to read the last answers. */
const DELIVERY_MS = 3_000

/**
 * Starts a sandbox server: an HTTP server of the base protocol with `slots` isolated workspaces.
 *
 * Throws a `SandboxUsageError` that names the option at fault; a `SandboxError` with code `isolation` when bubblewrap
 * does not work here and `isolation: "none"` was not said; one with code `server` when the address or the data
 * directory cannot be used.
 *
 * @example
 * ```ts
 * import { startSandboxServer } from 'sandbox-slots/server'
 * await using server = await startSandboxServer({ slots: 4 })
 * const health = await fetch(`${server.url}/health`)
 * console.log(await health.json()) // { status: 'ok', slots: 4, … }
 * ```
 */
export async function startSandboxServer(options: SandboxServerOptions = {}): Promise<SandboxServer> {
  checkServerOptions(options)
  const sandbox = await createSandbox(options)
  const settings = sandboxSettings(options)
  const { host, port, slots, isolation, network, token, dataDir } = settings
  try {
    const server = listen(sandbox, host, port)
    const fields = {
      url: server.url,
      pid: process.pid,
      slots,
      isolation,
      inner_sandboxes: sandbox.hasHolders,
      network,
      token: token !== undefined,
    }
    sandbox.tell({ type: 'server.started', fields: { ...fields, data_dir: dataDir ?? null } })
    return server
  } catch (thrown) {
    await sandbox.stop()
    const reason = describeThrown(thrown)
    throw new SandboxError('server', `Cannot listen on ${address(host, port)}: ${reason}`, { cause: thrown })
  }
}

function listen(sandbox: Sandbox, host: string, port: number): SandboxServer {
  const server = Bun.serve({
    hostname: host,
    port,
    maxRequestBodySize: HARD_BODY_LIMIT,
    // Or a file that becomes shorter while it is read would write lines of this code to the server's stderr.
    development: false,
    // Which would have several servers share one port.
    reusePort: false,
    // A call may take a day in silence; only a body that does not come is not waited for.
    fetch: (request, server) => sandbox.handler(request, () => server.timeout(request, 0)),
    error: () => new Response('500: Internal Server Error', { status: 500 }),
  })
  const addr = address(host, server.port ?? port)
  const close = async () => {
    // Answers are on their way, and some clients read slowly.
    const cut = setTimeout(() => void server.stop(true), DELIVERY_MS)
    await server.stop()
    clearTimeout(cut)
    sandbox.tell({ type: 'server.stopped' })
  }
  let closed: Promise<void> | undefined
  const stop = async (options?: StopOptions) => {
    try {
      await sandbox.stop(options)
    } finally {
      // Whatever went wrong there, nobody is answered any more, and the process can end.
      closed ??= close()
      await closed
    }
  }
  return { url: `http://${addr}`, addr, stop, [Symbol.asyncDispose]: () => stop() }
}

function address(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
