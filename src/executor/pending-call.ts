/** Floor 3: a call and the promise of its caller. Promises live here and nowhere below. Browser compatible. */
import type { Call } from '../actors/messages.ts'
import type { Lane } from '../batching/lanes.ts'
import type { Failed, Settlement } from '../batching/settlement.ts'
import type { StreamBody } from '../ports/transport.ts'
import type { Feature } from '../protocol/health.ts'
import type { Abortable } from './aborts.ts'
import { byteLength, type CallBody } from './call-body.ts'
import type { CallQueue, Queued } from './call-queue.ts'
import type { Expiring } from './deadlines.ts'
import type { LiveOutput } from './live-output.ts'
import type { Registered } from './registry.ts'
import type { ResultContext, Timing } from './results.ts'

/** The slot of a call, as the call's owners need it. */
export interface CallSlot {
  readonly slotId: string
  readonly container: CallContainer
  /** Calls behind the one in flight, in order. */
  readonly waiting: CallQueue<PendingCall>
  submit(call: PendingCall): void
  /** The call that was in flight has ended. */
  ended(call: PendingCall, settlement: Settlement): void
  /** The caller gave up a posted call: its result is told now, the slot waits for the server. */
  cancel(call: PendingCall, settlement: Settlement): void
  /** The caller gave up a call that the server can end: its result is told when the server says so. */
  askCancel(call: PendingCall): void
}

/** The container of a call, as the call's owners need it. */
export interface CallContainer {
  readonly addr: string
  enqueue(call: PendingCall): void
  /** Takes a call out of those that no post holds; false when it is not there. */
  withdraw(call: PendingCall): boolean
  /** Whether the server, which may know the call, can end it. */
  canCancel(call: PendingCall): boolean
  /** The answer is late: the connection may have died without a word. It is asked for again, where it runs only once. */
  askAgain(call: PendingCall): void
  /** Has the server end a call, with others of this tick. */
  cancel(call: PendingCall): void
}

/** The post that a call is in. */
export interface CallPost {
  /** The call no longer waits for this post. */
  leave(call: PendingCall): void
  readonly isCancellable: boolean
  /** The ledger of a server that can be asked again. */
  readonly ledger: string | undefined
}

/** A file to send or to fetch. */
export interface FileRequest {
  readonly method: 'GET' | 'PUT'
  /** Relative to the workspace. */
  readonly path: string
  readonly body?: StreamBody
  /** Only what follows so many bytes of the content with this ETag. */
  readonly rest?: { readonly bytes: number; readonly etag: string }
}

/** What a call is made of. */
export interface CallRequest extends CallBody {
  readonly executionId: string
  readonly hasChosenId: boolean
  readonly slot: CallSlot
  readonly tool: string
  readonly route: Call['route']
  readonly lane: Lane
  readonly timeoutMs: number
  readonly needs: readonly Feature[]
  readonly live?: LiveOutput | undefined
  readonly file?: FileRequest
  readonly queuedAt: number
  readonly signal: AbortSignal | undefined
}

/** One call on its way. */
export abstract class PendingCall
  implements
    Abortable<PendingCall>,
    Call,
    Expiring<PendingCall>,
    Queued<PendingCall>,
    Registered,
    ResultContext
{
  // Not copied: there are many calls, and each of them would be twice as large.
  readonly #request: CallRequest
  /** Posts that held it, and attempts to reach its container. */
  attempts = 0
  /** Those of them that failed and may be repeated. */
  failedAttempts = 0
  /** Why it is not settled yet, when something failed on the way. */
  lastFailure: Failed | undefined
  /** The post that holds it now. */
  post: CallPost | undefined
  /** The ledger that may know it: an answer of its server was cut, so that it may have run. */
  askedLedger: string | undefined
  /** Its caller gave it up, and the server was asked to end it: how it ends when no result of it comes. */
  givenUp: Failed | undefined
  bucket: Expiring<PendingCall>['bucket']
  place = 0
  queue: object | undefined
  before: PendingCall | undefined
  behind: PendingCall | undefined
  seat: number | undefined
  young: PendingCall[] | undefined
  youngAt = 0
  /** When the first attempt was made. */
  startedAt: number | undefined
  /** When the answer of its post came: one reading of the clock for all that it brought. */
  endedAt: number | undefined

  #isFinished = false
  #text: string | undefined
  #bytes: number

  constructor(request: CallRequest) {
    this.#request = request
    this.#text = request.text
    this.#bytes = request.bytes
  }

  get executionId(): string {
    return this.#request.executionId
  }

  get hasChosenId(): boolean {
    return this.#request.hasChosenId
  }

  get slot(): CallSlot {
    return this.#request.slot
  }

  get slotId(): string {
    return this.#request.slot.slotId
  }

  get tool(): string {
    return this.#request.tool
  }

  get route(): Call['route'] {
    return this.#request.route
  }

  get lane(): Lane {
    return this.#request.lane
  }

  /** What it sends, as long as no text was made of that. */
  get json(): object | undefined {
    return this.#text === undefined ? this.#request.json : undefined
  }

  /** What it sends, as JSON text. */
  get body(): string {
    if (this.#text === undefined) {
      this.#text = JSON.stringify(this.#request.json)
      this.#bytes = byteLength(this.#text)
    }
    return this.#text
  }

  /** Of its text: exact when that was made, else at most so many. */
  get bytes(): number {
    return this.#bytes
  }

  get timeoutMs(): number {
    return this.#request.timeoutMs
  }

  get needs(): readonly Feature[] {
    return this.#request.needs
  }

  get live(): LiveOutput | undefined {
    return this.#request.live
  }

  get file(): FileRequest | undefined {
    return this.#request.file
  }

  get signal(): AbortSignal | undefined {
    return this.#request.signal
  }

  /** Resolves the caller's promise; false, and nothing else, when it was resolved before. */
  finish(settlement: Settlement, now: number): boolean {
    if (this.#isFinished) return false
    this.#isFinished = true
    this.resolve(settlement, this.#timing(now))
    return true
  }

  get isGivenUp(): boolean {
    return this.givenUp !== undefined
  }

  /** Whether the caller has its result; the slot may still wait for the server. */
  get isFinished(): boolean {
    return this.#isFinished
  }

  /** Milliseconds since the caller made the call. */
  age(now: number): number {
    return rounded(now - this.#request.queuedAt)
  }

  /** Gives the caller what a settlement means for it. */
  protected abstract resolve(settlement: Settlement, timing: Timing): void

  #timing(now: number): Timing {
    const startedAt = this.startedAt ?? now
    return Object.freeze({
      queuedMs: rounded(startedAt - this.#request.queuedAt),
      wireMs: rounded(now - startedAt),
      totalMs: this.age(now),
    })
  }
}

/** To the microsecond: more is noise. */
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}

/** The charts know calls as plain data. */
export function arePending(calls: readonly Call[]): calls is readonly PendingCall[] {
  return calls.every((call) => call instanceof PendingCall)
}
