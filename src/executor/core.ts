/** Floor 3: what the parts of one executor share, and the calls that are under way. Browser compatible. */

import type { InspectionEvent } from 'xstate'
import type { Inspect } from '../actors/states.ts'
import {
  abortedBeforePost,
  type Failed,
  notRun,
  type Settlement,
  unknownOutcome,
} from '../batching/settlement.ts'
import type { BatchLimits } from '../batching/take-batches.ts'
import type { Clock, Tick } from '../ports/clock.ts'
import type { Transport } from '../ports/transport.ts'
import type { RetryOptions } from '../retrying/pauses.ts'
import { Aborts } from './aborts.ts'
import { Deadlines } from './deadlines.ts'
import {
  abortedAfterPost,
  cancelMs,
  expiredFailure,
  graceMs,
  lateMs,
  notConfirmed,
  truthful,
} from './endings.ts'
import type { SandboxEvent } from './events.ts'
import { ExecutionIds } from './execution-ids.ts'
import { guarded } from './guarded.ts'
import type { CallContainer, PendingCall } from './pending-call.ts'
import { Registry } from './registry.ts'
import { outcomeOf } from './results.ts'

/** What a {@link Core} is made of. */
export interface CoreParts {
  readonly clock: Clock
  readonly tick: Tick
  readonly random: () => number
  readonly transport: Transport
  readonly retry: RetryOptions
  readonly batching: BatchLimits
  readonly queueTimeoutMs: number | undefined
  readonly inspect: Inspect | undefined
  readonly onEvent: ((event: SandboxEvent) => void) | undefined
}

/** The registry of calls under way, and every way in which one ends that is not an answer. */
export class Core implements Omit<CoreParts, 'onEvent'> {
  readonly clock: Clock
  readonly tick: Tick
  readonly random: () => number
  readonly transport: Transport
  readonly retry: RetryOptions
  readonly batching: BatchLimits
  readonly queueTimeoutMs: number | undefined
  readonly inspect: ((event: InspectionEvent) => void) | undefined
  /** Tells `onEvent`; undefined when nobody listens, so that nothing is allocated then. */
  readonly emit: ((event: SandboxEvent) => void) | undefined
  readonly ids: ExecutionIds = new ExecutionIds()
  readonly #calls = new Registry<PendingCall>(this.ids)
  readonly #deadlines: Deadlines<PendingCall>
  readonly #aborts: Aborts<PendingCall>
  #drained: (() => void) | undefined

  constructor(parts: CoreParts) {
    this.clock = parts.clock
    this.tick = parts.tick
    this.random = parts.random
    this.transport = parts.transport
    this.retry = parts.retry
    this.batching = parts.batching
    this.queueTimeoutMs = parts.queueTimeoutMs
    this.inspect = guarded(tellerOf(parts.inspect))
    this.emit = guarded(parts.onEvent)
    this.#deadlines = new Deadlines(parts.clock, (call) => this.#expire(call))
    this.#aborts = new Aborts(parts.clock, (call) => this.#abort(call))
  }

  /** Of every actor of this executor: each is a root of its own. */
  actorOptions(id: string): { id: string; inspect?: (event: InspectionEvent) => void } {
    return this.inspect === undefined ? { id } : { id, inspect: this.inspect }
  }

  /** Calls that are under way. */
  get size(): number {
    return this.#calls.size
  }

  has(executionId: string): boolean {
    return this.#calls.hasId(executionId)
  }

  /** Takes a call in and gives it to its slot. */
  submit(call: PendingCall): void {
    this.admit(call)
    if (call.signal?.aborted) {
      this.finish(call, abortedBeforePost)
      this.forget(call)
    } else {
      call.slot.submit(call)
    }
  }

  /** Takes a call in: from now on it is waited for. */
  admit(call: PendingCall): void {
    this.#calls.add(call)
    if (this.emit !== undefined) this.#announceQueued(call, this.emit)
    if (this.queueTimeoutMs !== undefined) {
      const now = this.clock.now()
      this.#deadlines.watch(call, now - call.age(now) + this.queueTimeoutMs)
    }
    this.#aborts.watch(call)
  }

  /** An attempt is made for the call: with its first one its deadline is set. */
  started(call: PendingCall, now: number = this.clock.now()): void {
    if (call.startedAt !== undefined) return
    call.startedAt = now
    this.#deadlines.watch(call, now + call.timeoutMs + lateMs)
  }

  /** Whether a pause of this length would outlast the call. */
  outlasts(pauseMs: number, call: PendingCall): boolean {
    return this.clock.now() + pauseMs >= this.#deadlineOf(call)
  }

  /** Tells the caller how the call ended. */
  finish(call: PendingCall, given: Settlement): void {
    const now = call.endedAt ?? this.clock.now()
    const settlement = truthful(call, given)
    if (!call.finish(settlement, now) || this.emit === undefined) return
    this.emit({
      type: 'call.settled',
      executionId: call.executionId,
      slotId: call.slot.slotId,
      container: call.slot.container.addr,
      totalMs: call.age(now),
      ...outcomeOf(settlement),
    })
  }

  /** The call is over, here and on the wire. */
  forget(call: PendingCall): void {
    this.#calls.delete(call)
    this.#deadlines.drop(call)
    this.#aborts.drop(call)
    if (this.#calls.size === 0) this.#drained?.()
  }

  /** Ends a call from this side, wherever it is; its slot goes on. */
  giveUp(call: PendingCall, failure: Failed): void {
    if (call.slot.waiting.delete(call)) {
      this.finish(call, failure)
      this.forget(call)
    } else if (call.post !== undefined) {
      call.post.leave(call)
      call.slot.ended(call, failure)
    } else if (call.slot.container.withdraw(call)) {
      call.slot.ended(call, failure)
    }
  }

  /** Ends all calls to a container that is lost. */
  giveUpContainer(container: CallContainer, reason: string): void {
    for (const call of this.#waitingFirst()) {
      if (call.slot.container !== container) continue
      this.giveUp(
        call,
        call.post === undefined ? notRun('container-lost', reason) : unknownOutcome('container-lost', reason),
      )
    }
  }

  /** Ends what is not posted, waits up to `graceMs` for what is, and ends the rest. */
  async drain(graceMs: number): Promise<void> {
    for (const call of this.#waitingFirst()) {
      if (call.post === undefined)
        this.giveUp(call, notRun('closed', 'The executor was closed before the call was posted'))
    }
    if (this.size > 0 && graceMs > 0) await this.#untilDrained(graceMs)
    for (const call of this.#calls.list()) {
      this.giveUp(
        call,
        unknownOutcome('closed', `The executor was closed, and no answer came within ${graceMs} ms`),
      )
    }
  }

  #untilDrained(graceMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.clock.setTimeout(resolve, graceMs)
    this.#drained = () => {
      this.clock.clearTimeout(timer)
      resolve()
    }
    return promise
  }

  /** The call is over in {@link cancelMs} at the latest, unless its server ends it. */
  awaitCancel(call: PendingCall): void {
    call.givenUp = notConfirmed
    this.#deadlines.watch(call, Math.min(this.#deadlineOf(call), this.clock.now() + cancelMs))
  }

  /** Whether the call still waits for its end. */
  isUnderWay(call: PendingCall): boolean {
    return this.#calls.has(call)
  }

  /** Those behind the call in flight of their slot come first: its end would start the next one. */
  #waitingFirst(): PendingCall[] {
    const rank = (call: PendingCall) => (call.slot.waiting.has(call) ? 0 : 1)
    return this.#calls.list().sort((one, other) => rank(one) - rank(other))
  }

  #abort(call: PendingCall): void {
    if (call.slot.container.canCancel(call)) call.slot.askCancel(call)
    else if (call.post === undefined) this.giveUp(call, abortedBeforePost)
    else if (call.file !== undefined) this.giveUp(call, abortedAfterPost)
    else call.slot.cancel(call, abortedAfterPost)
  }

  #deadlineOf({ startedAt = this.clock.now(), timeoutMs }: PendingCall): number {
    return startedAt + timeoutMs + graceMs
  }

  #expire(call: PendingCall): void {
    const deadline = this.#deadlineOf(call)
    if (call.startedAt !== undefined && call.givenUp === undefined && this.clock.now() < deadline) {
      this.#deadlines.watch(call, deadline)
      call.slot.container.askAgain(call)
      return
    }
    this.giveUp(call, call.givenUp ?? expiredFailure(call, this.queueTimeoutMs))
  }

  #announceQueued(call: PendingCall, emit: NonNullable<Core['emit']>): void {
    const { executionId, slot, tool } = call
    emit({ type: 'call.queued', executionId, slotId: slot.slotId, container: slot.container.addr, tool })
  }
}

function tellerOf(inspect: Inspect | undefined): ((event: InspectionEvent) => void) | undefined {
  return typeof inspect === 'object' ? (event) => inspect.next(event) : inspect
}
