/** One connection through a fault proxy: the client's socket, the target's, and a gate for each direction. */
import { connect, type Socket } from 'node:net'
import { FaultGate, type GateOwner, isEnding } from './fault-gate.ts'
import {
  connectionFaults,
  type EndingFault,
  type Fault,
  type FaultPlan,
  type ProxiedConnection,
  type ProxiedRequest,
  requestFaults,
} from './fault-plan.ts'
import { type Piece, RequestFramer } from './request-framer.ts'

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export interface ConnectionParts {
  readonly index: number
  readonly client: Socket
  readonly target: { readonly host: string; readonly port: number }
  readonly plan: () => FaultPlan
  /** All requests of the proxy: new ones are added. */
  readonly requests: ProxiedRequest[]
  readonly closed: () => void
}

export class FaultConnection {
  readonly record: Mutable<ProxiedConnection> & { struck: Fault[] }
  readonly #parts: ConnectionParts
  readonly #client: Socket
  readonly #target: Socket
  readonly #framer = new RequestFramer()
  readonly #toTarget: FaultGate
  readonly #toClient: FaultGate
  readonly #over = new AbortController()
  #request: Mutable<ProxiedRequest> | undefined
  #isStalled = false

  constructor(parts: ConnectionParts) {
    this.#parts = parts
    this.record = { index: parts.index, requestBytes: 0, responseBytes: 0, posts: 0, struck: [] }
    this.#client = parts.client
    this.#target = connect({ ...parts.target, allowHalfOpen: true })
    this.#toTarget = new FaultGate(this.#ownerOf(this.#target, 'requestBytes'))
    this.#toClient = new FaultGate(this.#ownerOf(this.#client, 'responseBytes'))
    const faults = connectionFaults(parts.plan(), parts.index)
    this.#arm(faults, false)
    this.#wire(this.#client, this.#target, (bytes) => this.#fromClient(bytes))
    this.#wire(this.#target, this.#client, (bytes) => this.#toClient.push(bytes))
    const atOnce = faults.find((fault) => isEnding(fault) && fault.in === 'connect')
    if (atOnce === undefined || !isEnding(atOnce)) return
    this.record.struck.push(atOnce)
    this.#end(atOnce.kind)
  }

  /** Ends both sides at once. */
  destroy(how: 'close' | 'reset' = 'close'): void {
    this.#over.abort()
    for (const socket of [this.#client, this.#target]) {
      if (how === 'reset') socket.resetAndDestroy()
      else socket.destroy()
    }
  }

  #arm(faults: readonly Fault[], isOfMessage: boolean): void {
    this.#toTarget.arm(
      faults.filter((fault) => 'in' in fault && fault.in === 'request'),
      isOfMessage,
    )
    this.#toClient.arm(
      faults.filter((fault) => 'in' in fault && fault.in === 'response'),
      isOfMessage,
    )
  }

  /** Bytes in the order in which they come, one piece of work at a time; then the end, if it came. */
  #wire(from: Socket, to: Socket, take: (bytes: Uint8Array) => Promise<void>): void {
    let work = Promise.resolve()
    from.setNoDelay(true)
    from.on('data', (bytes: Buffer) => {
      from.pause()
      work = work.then(() => take(bytes)).then(() => void from.resume())
    })
    from.on('end', () => {
      work = work.then(() => {
        if (!this.#isStalled) to.end()
        else if (from === this.#client) this.destroy()
      })
    })
    from.on('error', () => this.destroy('reset'))
    from.on('close', () => {
      work = work.then(() => {
        if (from === this.#client || !this.#isStalled) to.destroy()
        if (this.#client.destroyed && this.#target.destroyed) this.#parts.closed()
      })
    })
  }

  async #fromClient(bytes: Uint8Array): Promise<void> {
    for (const piece of this.#framer.push(bytes)) await this.#passPiece(piece)
  }

  async #passPiece({ bytes, head, isLast }: Piece): Promise<void> {
    if (head !== undefined) this.#begin(head.method, head.path)
    await this.#toTarget.push(bytes, () => {
      if (isLast) this.#reached()
    })
    if (isLast && !this.#isOver) await this.#toTarget.endMessage()
  }

  #reached(): void {
    if (this.#request === undefined) return
    this.#request.reached = true
    if (this.#request.method === 'POST') this.record.posts += 1
  }

  #begin(method: string, path: string): void {
    const { requests, index, plan } = this.#parts
    const nth = this.#request === undefined ? 0 : this.#request.nth + 1
    const place = { index: requests.length, connection: index, nth, method, path }
    const request = { ...place, requestBytes: 0, responseBytes: 0, reached: false }
    requests.push(request)
    this.#request = request
    const faults = requestFaults(plan(), request)
    if (nth > 0) {
      this.#toTarget.disarm()
      this.#toClient.disarm()
    }
    this.#arm(faults, true)
  }

  get #isOver(): boolean {
    return this.#isStalled || this.#over.signal.aborted
  }

  #end(kind: EndingFault['kind']): void {
    if (kind === 'reset') {
      this.destroy('reset')
      return
    }
    this.#isStalled = true
    if (kind === 'stall') return
    // What still comes is read and thrown away: closing over unread bytes would be a reset.
    this.#client.end()
    this.#target.end()
  }

  #ownerOf(to: Socket, counter: 'requestBytes' | 'responseBytes'): GateOwner {
    const isOver = () => this.#isOver
    return {
      write: async (bytes) => {
        if (bytes.length === 0) return
        await written(to, bytes)
        this.record[counter] += bytes.length
        if (this.#request !== undefined) this.#request[counter] += bytes.length
      },
      sleep: (ms) => slept(ms, this.#over.signal),
      struck: (fault) => this.record.struck.push(fault),
      end: (kind) => this.#end(kind),
      get isOver() {
        return isOver()
      },
    }
  }
}

/** Resolves when the bytes are with the kernel, or never will be. */
function written(socket: Socket, bytes: Uint8Array): Promise<void> {
  if (socket.destroyed || socket.writableEnded) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = () => {
    socket.off('close', done)
    resolve()
  }
  socket.on('close', done)
  socket.write(bytes, done)
  return promise
}

function slept(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, ms)
  signal.addEventListener(
    'abort',
    () => {
      clearTimeout(timer)
      resolve()
    },
    { once: true },
  )
  return promise
}
