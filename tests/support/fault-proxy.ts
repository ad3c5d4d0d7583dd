/**
 * A TCP proxy in this process, between a client and a real HTTP server, that breaks connections where it is told to:
 * at any byte of what the client sends or of what the server answers.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net'

/** What goes wrong. `at` counts the bytes of that direction that pass before it does. */
export type Fault =
  /** Nothing. */
  | { readonly kind: 'none' }
  /** RST. */
  | { readonly kind: 'reset'; readonly in: Direction; readonly at: number }
  /** FIN. */
  | { readonly kind: 'close'; readonly in: Direction; readonly at: number }
  /** Nothing more passes, and nobody hangs up. */
  | { readonly kind: 'stall'; readonly in: Direction; readonly at: number }
  /** What comes after `at` passes later. */
  | { readonly kind: 'delay'; readonly in: Direction; readonly at: number; readonly ms: number }
  /** What comes after `at` passes byte by byte, a turn of the event loop each. */
  | { readonly kind: 'drip'; readonly in: Direction; readonly at: number }
  /** What comes after `at` is overwritten. */
  | { readonly kind: 'garble'; readonly in: Direction; readonly at: number }

export type Direction = 'request' | 'response'

/** One connection that a client made, and what passed. */
export interface Connection {
  readonly index: number
  readonly fault: Fault
  requestBytes: number
  responseBytes: number
}

export interface FaultProxyOptions {
  /** Where the real server is, as in `http://127.0.0.1:4000`. */
  readonly target: string
  /** What goes wrong in the n-th connection, from 0. */
  readonly plan: (index: number) => Fault
}

export interface FaultProxy {
  readonly url: string
  readonly connections: readonly Connection[]
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export async function startFaultProxy({ target, plan }: FaultProxyOptions): Promise<FaultProxy> {
  const { hostname, port } = new URL(target)
  const connections: Connection[] = []
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    // A broken connection is what this is for; it shows in the client.
    socket.on('error', () => {})
  }
  const server = createServer((client) => {
    const upstream = createConnection({ host: hostname, port: Number(port) })
    const connection = {
      index: connections.length,
      fault: plan(connections.length),
      requestBytes: 0,
      responseBytes: 0,
    }
    connections.push(connection)
    for (const socket of [client, upstream]) track(socket)
    join(connection, client, upstream)
  })
  const url = await listening(server)
  const stop = async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  return { url, connections, stop, [Symbol.asyncDispose]: stop }
}

function listening(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('The proxy has no port')
      resolve(`http://127.0.0.1:${address.port}`)
    })
  })
}

function join(connection: Connection, client: Socket, upstream: Socket): void {
  pass(connection, 'request', client, upstream)
  pass(connection, 'response', upstream, client)
}

/** Passes bytes on, up to the fault; then does what the fault says. */
function pass(connection: Connection, direction: Direction, from: Socket, to: Socket): void {
  const { fault } = connection
  const concerned = fault.kind !== 'none' && fault.in === direction
  const counter = direction === 'request' ? 'requestBytes' : 'responseBytes'
  let broken = false
  from.on('data', (chunk: Buffer) => {
    if (broken) return
    const room = concerned ? Math.max(0, fault.at - connection[counter]) : chunk.length
    const good = chunk.subarray(0, room)
    const rest = chunk.subarray(room)
    connection[counter] += good.length
    if (good.length > 0) to.write(good)
    if (
      concerned &&
      connection[counter] >= fault.at &&
      (rest.length > 0 || fault.at === connection[counter])
    ) {
      broken = breakOff(connection, counter, fault, rest, from, to)
    }
  })
  from.on('end', () => {
    if (!broken) to.end()
  })
  from.on('close', () => {
    if (!(concerned && fault.kind === 'stall')) to.destroySoon()
  })
}

/** True when nothing more may pass by the usual way. */
function breakOff(
  connection: Connection,
  counter: 'requestBytes' | 'responseBytes',
  fault: Exclude<Fault, { kind: 'none' }>,
  rest: Buffer,
  from: Socket,
  to: Socket,
): boolean {
  const client = fault.in === 'request' ? from : to
  const upstream = fault.in === 'request' ? to : from
  switch (fault.kind) {
    case 'reset':
      client.resetAndDestroy()
      upstream.destroy()
      return true
    case 'close':
      client.end()
      upstream.end()
      return true
    case 'stall':
      return true
    case 'delay':
      connection[counter] += rest.length
      setTimeout(() => to.write(rest), fault.ms)
      return false
    case 'drip':
      connection[counter] += rest.length
      void drip(rest, to)
      return false
    case 'garble':
      connection[counter] += rest.length
      to.write(Buffer.alloc(rest.length, '#'))
      return false
  }
}

async function drip(bytes: Buffer, to: Socket): Promise<void> {
  for (const byte of bytes) {
    if (to.destroyed) return
    to.write(Uint8Array.of(byte))
    await new Promise((resolve) => setImmediate(resolve))
  }
}
