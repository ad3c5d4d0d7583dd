/** Floor 3: calls that were given up while their server may know them, and are ended there. Browser compatible. */
import type { CoordinatorEvent } from '../actors/messages.ts'
import type { Failed } from '../batching/settlement.ts'
import { unknownOutcome } from '../batching/settlement.ts'
import { type CancelResponseBody, cancelResponse } from '../protocol/cancel.ts'
import type { Core } from './core.ts'
import { cancelMs } from './endings.ts'
import type { PendingCall } from './pending-call.ts'

/** Ids in one POST at most. */
const maxIds = 1_000

/** Until a cancellation that brought no answer is asked for again. */
const againMs = 250

const answerBytes = 1024 * 1024

const confirmed: Failed = {
  kind: 'failed',
  outcome: 'cancelled',
  code: 'aborted',
  message: 'Aborted; the server has ended it, its output is lost',
}
const endedBefore = unknownOutcome('aborted', 'Aborted; it had ended before, and its result is lost')

/** Asks the server of one container to end calls: once a tick, for all that were given up in it. */
export class Cancels {
  readonly #core: Core
  readonly #addr: string
  readonly #send: (event: CoordinatorEvent) => void
  /** They go into the next POST. */
  readonly #next = new Set<PendingCall>()
  /** No post holds them: their answers were cut, and their end is what the cancellation says. */
  readonly #adrift = new Set<PendingCall>()
  #inFlight = 0

  constructor(core: Core, addr: string, send: (event: CoordinatorEvent) => void) {
    this.#core = core
    this.#addr = addr
    this.#send = send
  }

  get size(): number {
    return this.#next.size
  }

  ask(call: PendingCall): void {
    this.#next.add(call)
    this.#send({ type: 'tick.start' })
  }

  /** What was given up since the last tick. */
  take(): PendingCall[] {
    const calls = [...this.#next]
    this.#next.clear()
    return calls
  }

  /** The post of a call that was given up has failed. It ends as the server says, or at its deadline. */
  setAdrift(call: PendingCall): void {
    if (call.givenUp === confirmed) call.slot.ended(call, confirmed)
    else this.#adrift.add(call)
  }

  /** Takes out a call that no post holds; false when it is not there. */
  withdraw(call: PendingCall): boolean {
    return this.#adrift.delete(call)
  }

  post(calls: readonly PendingCall[]): void {
    for (let from = 0; from < calls.length; from += maxIds) void this.#post(calls.slice(from, from + maxIds))
  }

  async #post(calls: readonly PendingCall[]): Promise<void> {
    this.#inFlight += 1
    const answer = await this.#exchange(calls)
    this.#inFlight -= 1
    if (answer === undefined) this.#askAgain(calls)
    else this.#conclude(calls, answer)
    this.#send({ type: this.#inFlight > 0 ? 'cancel.ended' : 'cancel.drained' })
  }

  async #exchange(calls: readonly PendingCall[]): Promise<CancelResponseBody | undefined> {
    const controller = new AbortController()
    const timer = this.#core.clock.setTimeout(() => controller.abort(), cancelMs)
    const exchange = await this.#core.transport.exchange({
      method: 'POST',
      url: `${this.#addr}/cancel`,
      body: JSON.stringify({ execution_ids: calls.map(({ executionId }) => executionId) }),
      schema: cancelResponse,
      signal: controller.signal,
      maxBytes: answerBytes,
    })
    this.#core.clock.clearTimeout(timer)
    return exchange.kind === 'ok' ? exchange.value : undefined
  }

  /** A call whose post still holds it has its result there, with its output. */
  #conclude(calls: readonly PendingCall[], answer: CancelResponseBody): void {
    const finished = new Set(answer.finished)
    const ended = new Set([...answer.cancelled, ...answer.unknown])
    for (const call of calls) {
      if (!this.#core.isUnderWay(call)) continue
      if (ended.has(call.executionId)) call.givenUp = confirmed
      if (!this.#adrift.has(call)) continue
      if (ended.has(call.executionId)) this.#end(call, confirmed)
      else if (finished.has(call.executionId)) this.#end(call, endedBefore)
    }
  }

  #end(call: PendingCall, failure: Failed): void {
    this.#adrift.delete(call)
    call.slot.ended(call, failure)
  }

  #askAgain(calls: readonly PendingCall[]): void {
    this.#core.clock.setTimeout(() => {
      for (const call of calls) if (this.#core.isUnderWay(call)) this.ask(call)
    }, againMs)
  }
}
