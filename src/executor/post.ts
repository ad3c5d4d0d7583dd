/** Floor 3: one POST on its way. Browser compatible. */
import type { Call } from '../actors/messages.ts'
import type { Terms } from '../batching/terms.ts'
import type { Clock } from '../ports/clock.ts'
import { byteLength } from './call-body.ts'
import type { CallPost, PendingCall } from './pending-call.ts'

let posts = 0

/** One POST and the calls in it that still wait for its answer. */
export class Post implements CallPost {
  readonly postId = ++posts
  /** In the order in which they were sent. */
  readonly calls: readonly PendingCall[]
  readonly route: Call['route'] | '/batch' | '/v2/batch'
  readonly body: string
  /** Of the container, when it speaks the extended protocol. */
  readonly terms: Terms | undefined
  /** When the last piece of its answer came. */
  cameAt: number | undefined
  #waiting: number
  readonly #controller = new AbortController()
  #timer: unknown

  constructor(calls: readonly PendingCall[], terms: Terms | undefined) {
    const [first] = calls
    if (first === undefined) throw new RangeError('A post needs a call')
    this.calls = calls
    this.terms = terms
    this.route = routeOf(first, calls.length, terms)
    const isList = this.route === '/batch' || this.route === '/v2/batch'
    this.body = isList ? listOf(calls) : first.body
    for (const call of calls) call.post = this
    this.#waiting = calls.length
  }

  get bytes(): number {
    return byteLength(this.body)
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** How many calls nobody has settled meanwhile. */
  get waiting(): number {
    return this.#waiting
  }

  /** Those calls. */
  waitingCalls(): PendingCall[] {
    return this.calls.filter((call) => call.post === this)
  }

  get ledger(): string | undefined {
    return this.route === '/v2/batch' ? this.terms?.ledger : undefined
  }

  /** Whether the server can be asked to end one of its calls. */
  get isCancellable(): boolean {
    return this.route === '/v2/batch' && this.terms?.features.has('cancel') === true
  }

  /** The call has its answer, or goes another way. */
  release(call: PendingCall): void {
    call.post = undefined
    this.#waiting -= 1
  }

  /** The call is given up. When no other waits, the exchange is ended. */
  leave(call: PendingCall): void {
    this.release(call)
    if (this.#waiting === 0) this.#controller.abort()
  }

  /** Nobody waits any more: the rest of the answer may take so long. */
  hangUpAfter(ms: number, clock: Clock): void {
    this.#timer = clock.setTimeout(() => this.#controller.abort(), ms)
  }

  came(clock: Clock): void {
    this.cameAt = clock.now()
  }

  /** The exchange is over. */
  close(clock: Clock): void {
    if (this.#timer !== undefined) clock.clearTimeout(this.#timer)
  }
}

function listOf(calls: readonly PendingCall[]): string {
  const requests = calls.map((call) => call.json)
  return requests.includes(undefined)
    ? `[${calls.map((call) => call.body).join(',')}]`
    : JSON.stringify(requests)
}

function routeOf({ route }: PendingCall, calls: number, terms: Terms | undefined): Post['route'] {
  if (route !== '/execute') return route
  if (terms !== undefined) return '/v2/batch'
  return calls > 1 ? '/batch' : route
}
