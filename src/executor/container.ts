/** Floor 3: one container: its coordinator's chart, and the calls in its buffer and on the wire. Browser compatible. */
import { type ActorRefFrom, createActor } from 'xstate'
import { coordinatorMachine } from '../actors/coordinator.machine.ts'
import type { Call, CoordinatorEvent } from '../actors/messages.ts'
import { type LinkState, linkStateOf } from '../actors/states.ts'
import { type Failed, notRun, type Settlement } from '../batching/settlement.ts'
import { halve } from '../batching/take-batches.ts'
import type { ContainerStatus } from '../protocol/health.ts'
import { announceFailure, announceLink, announcePost } from './announce.ts'
import { CallBuffer } from './call-buffer.ts'
import type { Core } from './core.ts'
import { Pacing } from './pacing.ts'
import { type CallContainer, PendingCall } from './pending-call.ts'
import { Post } from './post.ts'
import { lookAt } from './probe.ts'
import { type Delivery, deliver } from './wire.ts'

/** How long an attempt to reach a container may take. */
const probeTimeoutMs = 5_000

/** Batches the calls to one container, as its chart says. */
export class Container implements CallContainer {
  readonly #core: Core
  readonly #actor: ActorRefFrom<typeof coordinatorMachine>
  readonly #buffer: CallBuffer
  readonly #posts = new Set<Post>()
  #inFlight = 0
  readonly #posted = { posts: 0, calls: 0 }
  readonly #pacing: Pacing
  readonly #stopped = new AbortController()
  /** Told when the link is lost, and after each attempt that fails. */
  onLinkDown: (() => void) | undefined

  constructor(
    readonly addr: string,
    core: Core,
  ) {
    this.#core = core
    this.#pacing = new Pacing(core)
    this.#buffer = new CallBuffer(core.batching)
    const wired = coordinatorMachine.provide({
      actions: {
        scheduleTick: () => core.tick(() => this.#onTick()),
        post: ({ event }) => this.#postAll(event),
        probe: () => void this.#probe(),
        schedulePause: () => this.#schedulePause(),
      },
    })
    this.#actor = createActor(wired, core.actorOptions(addr))
    if (core.emit !== undefined) announceLink(this.#actor, addr, core.emit)
    this.#actor.start()
  }

  get link(): LinkState {
    return linkStateOf(this.#actor.getSnapshot())
  }

  /** Takes a call in; it goes out at the end of the tick, or when the batch is full. */
  enqueue(call: PendingCall): void {
    this.#buffer.add(call)
    if (this.#buffer.size === 1) this.#actor.send({ type: 'tick.start' })
    if (this.#buffer.isFull) this.#flush()
  }

  /** Takes a call out of the buffer; false when it is not there. */
  withdraw(call: PendingCall): boolean {
    return this.#buffer.delete(call)
  }

  /** Calls that are posted and not answered. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** POSTs so far, and the calls in them. */
  get posted(): { readonly posts: number; readonly calls: number } {
    return this.#posted
  }

  /** Looks at the container's health, besides the link's own attempts; null when it gave no answer in time. */
  async check(timeoutMs: number): Promise<ContainerStatus | null> {
    const seen = await lookAt(this.#core, this.addr, timeoutMs, this.#stopped.signal)
    if (this.#stopped.signal.aborted) return null
    if (seen.kind === 'answered') {
      if (this.link === 'unknown') this.#actor.send({ type: 'probe.idle' })
      return seen.status
    }
    if (this.link === 'up') {
      this.#pacing.failed(seen.message, 0)
      this.#actor.send({ type: 'link.lost' })
    }
    return null
  }

  stop(): void {
    this.#pacing.stop()
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
        return { type: 'tick.post', batches: this.#buffer.takeAll() }
      case 'unknown':
        return { type: 'tick.probe' }
      default:
        return { type: 'tick.hold' }
    }
  }

  #flush(): void {
    if (this.#buffer.size > 0 && this.link === 'up') {
      this.#actor.send({ type: 'post.more', batches: this.#buffer.takeAll() })
    }
  }

  #postAll(event: CoordinatorEvent): void {
    if (!('batches' in event)) return
    for (const batch of event.batches) if (arePending(batch)) void this.#post(new Post(batch))
  }

  async #post(post: Post): Promise<void> {
    this.#posts.add(post)
    this.#inFlight += post.calls.length
    this.#posted.posts += 1
    this.#posted.calls += post.calls.length
    for (const call of post.calls) {
      call.attempts += 1
      this.#core.started(call)
    }
    if (this.#core.emit !== undefined) announcePost(post, this.addr, this.#core.emit)
    const delivery = await deliver(this.#core.transport, this.addr, post)
    this.#posts.delete(post)
    this.#inFlight -= post.calls.length
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
      if (settlement.kind === 'answered') this.#pacing.succeeded()
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
    for (const call of calls) this.#buffer.add(call)
    if (this.link === 'up') this.#pacing.failed(failure.message, askedPauseMs)
    this.#countFailure(calls, failure)
    this.#actor.send({ type: 'link.lost' })
  }

  #countFailure(calls: readonly PendingCall[], failure: Failed): void {
    const { ms } = this.#pacing.pause
    for (const call of calls) {
      if (!this.#buffer.has(call)) continue
      call.lastFailure = failure
      call.failedAttempts += 1
      const spent = call.failedAttempts >= this.#core.retry.attempts
      if (!spent && !this.#core.outlasts(ms, call)) continue
      const attempts = `${call.attempts} attempt${call.attempts === 1 ? '' : 's'}`
      const late = spent ? '' : ` (another after a pause of ${Math.round(ms)} ms would come too late)`
      this.#core.giveUp(call, { ...failure, message: `Failed after ${attempts}: ${failure.message}${late}` })
    }
  }

  /** One attempt to reach the container, for all calls that wait now. */
  async #probe(): Promise<void> {
    const calls = this.#buffer.list()
    for (const call of calls) this.#core.started(call)
    const seen = await lookAt(this.#core, this.addr, probeTimeoutMs, this.#stopped.signal)
    if (this.#stopped.signal.aborted) return
    if (seen.kind === 'answered') {
      const batches = this.#buffer.takeAll()
      this.#actor.send(batches.length > 0 ? { type: 'probe.answered', batches } : { type: 'probe.idle' })
      return
    }
    const failure = notRun('unreachable', seen.message)
    this.#pacing.failed(seen.message, 0)
    for (const call of calls) call.attempts += 1
    this.#countFailure(calls, failure)
    this.#actor.send({ type: 'probe.failed' })
  }

  #schedulePause(): void {
    this.#pacing.schedule(() => {
      this.#actor.send({ type: this.#buffer.size > 0 ? 'pause.over' : 'pause.idle' })
    })
    const { ms: pauseMs, reason } = this.#pacing.pause
    const { emit } = this.#core
    emit?.({ type: 'retry.scheduled', container: this.addr, calls: this.#buffer.size, pauseMs, reason })
    this.onLinkDown?.()
  }
}

function arePending(calls: readonly Call[]): calls is readonly PendingCall[] {
  return calls.every((call) => call instanceof PendingCall)
}
