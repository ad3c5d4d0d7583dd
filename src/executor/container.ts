/** Floor 3: one container: its coordinator's chart, and the calls in its buffer and on the wire. Browser compatible. */
import { type ActorRefFrom, createActor } from 'xstate'
import { coordinatorMachine } from '../actors/coordinator.machine.ts'
import type { Call, CoordinatorEvent } from '../actors/messages.ts'
import { type LinkState, linkStateOf } from '../actors/states.ts'
import { type Failed, notRun, type Settlement } from '../batching/settlement.ts'
import { halve, takeBatches } from '../batching/take-batches.ts'
import { pauseMs } from '../retrying/pauses.ts'
import { announceFailure, announcePost } from './announce.ts'
import type { Core } from './core.ts'
import { type CallContainer, PendingCall } from './pending-call.ts'
import { Post } from './post.ts'
import { readHealth } from './probe.ts'
import { type Delivery, deliver } from './wire.ts'

/** How long an attempt to reach a container may take. */
const probeTimeoutMs = 5_000

/** Batches the calls to one container, as its chart says. */
export class Container implements CallContainer {
  readonly #core: Core
  readonly #actor: ActorRefFrom<typeof coordinatorMachine>
  readonly #buffer = new Set<PendingCall>()
  #bufferBytes = 0
  readonly #posts = new Set<Post>()
  /** Failed attempts in a row: the pauses grow with them. */
  #failures = 0
  #pause: { readonly ms: number; readonly reason: string } = { ms: 0, reason: '' }
  #pauseTimer: unknown
  readonly #stopped = new AbortController()

  constructor(
    readonly addr: string,
    core: Core,
  ) {
    this.#core = core
    const wired = coordinatorMachine.provide({
      actions: {
        scheduleTick: () => core.tick(() => this.#onTick()),
        post: ({ event }) => this.#postAll(event),
        probe: () => void this.#probe(),
        schedulePause: () => this.#schedulePause(),
      },
    })
    const inspect = core.inspect
    this.#actor = createActor(wired, { id: addr, ...(inspect === undefined ? {} : { inspect }) })
    if (core.emit !== undefined) this.#announceChanges(core.emit)
    this.#actor.start()
  }

  get link(): LinkState {
    return linkStateOf(this.#actor.getSnapshot())
  }

  /** Takes a call in; it goes out at the end of the tick, or when the batch is full. */
  enqueue(call: PendingCall): void {
    this.#buffer.add(call)
    this.#bufferBytes += call.bytes
    if (this.#buffer.size === 1) this.#actor.send({ type: 'tick.start' })
    const { maxCalls, maxBytes } = this.#core.batching
    if (this.#buffer.size >= maxCalls || this.#bufferBytes >= maxBytes) this.#flush()
  }

  /** Takes a call out of the buffer; false when it is not there. */
  withdraw(call: PendingCall): boolean {
    if (!this.#buffer.delete(call)) return false
    this.#bufferBytes -= call.bytes
    return true
  }

  stop(): void {
    this.#core.clock.clearTimeout(this.#pauseTimer)
    this.#stopped.abort()
    this.#actor.stop()
  }

  #onTick(): void {
    if (!this.#stopped.signal.aborted) this.#actor.send(this.#tickEvent())
  }

  #tickEvent(): CoordinatorEvent {
    if (this.#buffer.size === 0) return { type: 'tick.empty' }
    switch (this.link) {
      case 'up':
        return { type: 'tick.post', batches: this.#takeAll() }
      case 'unknown':
        return { type: 'tick.probe' }
      default:
        return { type: 'tick.hold' }
    }
  }

  #flush(): void {
    if (this.#buffer.size > 0 && this.link === 'up') {
      this.#actor.send({ type: 'post.more', batches: this.#takeAll() })
    }
  }

  #takeAll(): PendingCall[][] {
    const batches = takeBatches(this.#buffer, this.#core.batching)
    this.#buffer.clear()
    this.#bufferBytes = 0
    return batches
  }

  #postAll(event: CoordinatorEvent): void {
    if (!('batches' in event)) return
    for (const batch of event.batches) if (arePending(batch)) void this.#post(new Post(batch))
  }

  async #post(post: Post): Promise<void> {
    this.#posts.add(post)
    for (const call of post.calls) {
      call.attempts += 1
      this.#core.started(call)
    }
    if (this.#core.emit !== undefined) announcePost(post, this.addr, this.#core.emit)
    const delivery = await deliver(this.#core.transport, this.addr, post)
    this.#posts.delete(post)
    if (this.#stopped.signal.aborted) return
    this.#conclude(post, delivery)
    this.#actor.send({ type: this.#posts.size > 0 ? 'post.ended' : 'post.drained' })
  }

  #conclude(post: Post, delivery: Delivery): void {
    const { emit } = this.#core
    if (delivery.failure !== undefined && emit !== undefined) {
      announceFailure(post, this.addr, delivery.failure, emit)
    }
    if (delivery.kind === 'delivered') {
      this.#settle(post, delivery.settlements)
      return
    }
    const calls = this.#wanted(post, delivery.failure)
    if (delivery.kind === 'too-large') this.#split(calls, delivery.failure)
    else this.#tryAgain(calls, delivery.failure, delivery.pauseMs)
  }

  #settle(post: Post, settlements: readonly Settlement[]): void {
    for (const [index, call] of post.calls.entries()) {
      const settlement = settlements[index]
      if (settlement === undefined || call.post !== post) continue
      call.post = undefined
      if (settlement.kind === 'answered') this.#failures = 0
      call.slot.ended(call, settlement)
    }
  }

  /** The calls of a failed post that somebody still waits for; the others end here. */
  #wanted(post: Post, failure: Failed): PendingCall[] {
    const wanted: PendingCall[] = []
    for (const call of post.waiting) {
      call.post = undefined
      if (call.isFinished) call.slot.ended(call, failure)
      else wanted.push(call)
    }
    return wanted
  }

  #split(calls: readonly PendingCall[], failure: Failed): void {
    const [only, ...others] = calls
    if (only === undefined) return
    if (others.length > 0) {
      this.#actor.send({ type: 'post.more', batches: halve(calls) })
      return
    }
    const message = `Cannot post call ${only.executionId}: its request has ${only.bytes} bytes, more than the server takes (${failure.message})`
    only.slot.ended(only, { ...failure, message })
  }

  /** The calls provably did not run: those that have attempts and time left wait for the link. */
  #tryAgain(calls: readonly PendingCall[], failure: Failed, askedPauseMs = 0): void {
    for (const call of calls) {
      this.#buffer.add(call)
      this.#bufferBytes += call.bytes
    }
    if (this.link === 'up') this.#pauseAfter(failure, askedPauseMs)
    this.#countFailure(calls, failure)
    this.#actor.send({ type: 'link.lost' })
  }

  #pauseAfter(failure: Failed, askedPauseMs: number): void {
    this.#failures += 1
    const ms = Math.max(askedPauseMs, pauseMs(this.#failures, this.#core.retry, this.#core.random))
    this.#pause = { ms, reason: failure.message }
  }

  #countFailure(calls: readonly PendingCall[], failure: Failed): void {
    for (const call of calls) {
      if (!this.#buffer.has(call)) continue
      call.lastFailure = failure
      call.failedAttempts += 1
      const spent = call.failedAttempts >= this.#core.retry.attempts
      if (!spent && !this.#core.outlasts(this.#pause.ms, call)) continue
      const attempts = `${call.attempts} attempt${call.attempts === 1 ? '' : 's'}`
      const late = spent
        ? ''
        : ` (another after a pause of ${Math.round(this.#pause.ms)} ms would come too late)`
      this.#core.giveUp(call, { ...failure, message: `Failed after ${attempts}: ${failure.message}${late}` })
    }
  }

  /** One attempt to reach the container, for all calls that wait now. */
  async #probe(): Promise<void> {
    const calls = [...this.#buffer]
    for (const call of calls) this.#core.started(call)
    const { transport, clock } = this.#core
    const exchange = await readHealth(transport, clock, this.addr, probeTimeoutMs, this.#stopped.signal)
    if (this.#stopped.signal.aborted) return
    if ('status' in exchange) {
      const waiting = this.#buffer.size > 0
      this.#actor.send(
        waiting ? { type: 'probe.answered', batches: this.#takeAll() } : { type: 'probe.idle' },
      )
      return
    }
    const message =
      'message' in exchange ? exchange.message : `No answer to GET /health within ${probeTimeoutMs} ms`
    const failure = notRun('unreachable', message)
    this.#pauseAfter(failure, 0)
    for (const call of calls) call.attempts += 1
    this.#countFailure(calls, failure)
    this.#actor.send({ type: 'probe.failed' })
  }

  #schedulePause(): void {
    const { clock, emit } = this.#core
    const { ms, reason } = this.#pause
    this.#pauseTimer = clock.setTimeout(() => {
      this.#actor.send({ type: this.#buffer.size > 0 ? 'pause.over' : 'pause.idle' })
    }, ms)
    emit?.({ type: 'retry.scheduled', container: this.addr, calls: this.#buffer.size, pauseMs: ms, reason })
  }

  #announceChanges(emit: NonNullable<Core['emit']>): void {
    let from = this.link
    this.#actor.subscribe(() => {
      const to = this.link
      if (to === from) return
      emit({ type: 'link.changed', container: this.addr, from, to })
      from = to
    })
  }
}

function arePending(calls: readonly Call[]): calls is readonly PendingCall[] {
  return calls.every((call) => call instanceof PendingCall)
}
