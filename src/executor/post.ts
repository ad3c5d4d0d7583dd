/** Floor 3: one POST on its way. Browser compatible. */
import type { PostRoute } from '../protocol/routes.ts'
import type { CallPost, PendingCall } from './pending-call.ts'

let posts = 0

/** One POST and the calls in it that still wait for its answer. */
export class Post implements CallPost {
  readonly postId = ++posts
  /** In the order in which they were sent. */
  readonly calls: readonly PendingCall[]
  readonly route: PostRoute
  readonly body: string
  readonly bytes: number
  readonly #waiting: Set<PendingCall>
  readonly #controller = new AbortController()

  constructor(calls: readonly PendingCall[]) {
    const [first] = calls
    if (first === undefined) throw new RangeError('A post needs a call')
    const alone = calls.length === 1
    this.calls = calls
    this.route = alone ? first.route : '/batch'
    this.body = alone ? first.body : `[${calls.map((call) => call.body).join(',')}]`
    this.bytes = calls.reduce((sum, call) => sum + call.bytes + 1, alone ? -1 : 1)
    this.#waiting = new Set(calls)
    for (const call of calls) call.post = this
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** The calls that nobody has settled meanwhile. */
  get waiting(): ReadonlySet<PendingCall> {
    return this.#waiting
  }

  /** When no call waits any more, the exchange is ended. */
  leave(call: PendingCall): void {
    call.post = undefined
    if (this.#waiting.delete(call) && this.#waiting.size === 0) this.#controller.abort()
  }
}
