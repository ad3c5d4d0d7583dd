/** Floor 3: one container: its coordinator's chart, and the calls in its buffer and on the wire. Browser compatible. */
import type { ActorRefFrom } from 'xstate'
import { coordinatorMachine } from '../actors/coordinator.machine.ts'
import { createLearnedActor } from '../actors/learned-actor.ts'
import { withLearnedEdges } from '../actors/learned-edges.ts'
import type { CoordinatorEvent } from '../actors/messages.ts'
import { type LinkState, linkStateOf } from '../actors/states.ts'
import { notRun } from '../batching/settlement.ts'
import type { Taken } from '../batching/streamed-results.ts'
import { type Terms, termsOf } from '../batching/terms.ts'
import type { ContainerStatus } from '../protocol/health.ts'
import { conclude, countFailure, type Posting } from './aftermath.ts'
import { announceFailure, announceLink, announcePost } from './announce.ts'
import { CallBuffer } from './call-buffer.ts'
import { Cancels } from './cancels.ts'
import type { Core } from './core.ts'
import { Pacing } from './pacing.ts'
import { arePending, type CallContainer, type PendingCall } from './pending-call.ts'
import { Post } from './post.ts'
import { type Look, lookAt } from './probe.ts'
import { deliver } from './wire.ts'

/** How long an attempt to reach a container may take. */
const probeTimeoutMs = 5_000

/** How long an answer may go on when all its results have come. */
const lastLineMs = 2_000

/** Batches the calls to one container, as its chart says. */
export class Container implements CallContainer, Posting {
  readonly core: Core
  readonly buffer: CallBuffer
  readonly cancels: Cancels
  readonly pacing: Pacing
  /** POSTs so far, and the calls in them. */
  readonly posted = { posts: 0, calls: 0 }
  /** What it has announced, when it speaks the extended protocol. */
  terms: Terms | undefined
  readonly #actor: ActorRefFrom<typeof coordinatorMachine>
  /** Few. In a Set of them, the heap was collected in full twice as often. */
  readonly #posts: Post[] = []
  readonly #stopped = new AbortController()
  /** Told when the link is lost, and after each attempt that fails. */
  onLinkDown: (() => void) | undefined

  constructor(
    readonly addr: string,
    core: Core,
  ) {
    this.core = core
    this.pacing = new Pacing(core)
    this.buffer = new CallBuffer(core.batching)
    this.cancels = new Cancels(core, addr, (event) => this.send(event))
    const wired = coordinatorMachine.provide({
      actions: {
        scheduleTick: () => core.tick(() => this.#onTick()),
        post: ({ event }) => this.#postAll(event),
        postCancel: ({ event }) => this.#postCancel(event),
        probe: () => void this.#probe(),
        schedulePause: () => this.#schedulePause(),
      },
    })
    this.#actor = createLearnedActor(withLearnedEdges(wired), core.actorOptions(addr))
    if (core.emit !== undefined) announceLink(this.#actor, addr, core.emit)
    this.#actor.start()
  }

  get link(): LinkState {
    return linkStateOf(this.#actor.getSnapshot())
  }

  /** Takes a call in; it goes out at the end of the tick, or when the batch is full. */
  enqueue(call: PendingCall): void {
    this.buffer.add(call)
    if (this.buffer.size === 1) this.#actor.send({ type: 'tick.start' })
    if (this.buffer.isFull) this.flush()
  }

  withdraw(call: PendingCall): boolean {
    return this.buffer.delete(call) || this.cancels.withdraw(call)
  }

  canCancel(call: PendingCall): boolean {
    if (call.post !== undefined) return call.post.isCancellable
    const { askedLedger } = call
    return (
      askedLedger !== undefined && askedLedger === this.terms?.ledger && this.terms.features.has('cancel')
    )
  }

  askAgain(call: PendingCall): void {
    if (call.post?.ledger === undefined) return
    call.askedLedger = call.post.ledger
    call.post.leave(call)
    this.enqueue(call)
  }

  cancel(call: PendingCall): void {
    if (this.buffer.delete(call)) this.cancels.setAdrift(call)
    this.cancels.ask(call)
  }

  /** Calls that are posted and not answered. */
  get inFlight(): number {
    let calls = 0
    for (const post of this.#posts) calls += post.waiting
    return calls
  }

  /** Calls that it has answered. */
  get answers(): number {
    return this.pacing.answers
  }

  /** Looks at the container's health, besides the link's own attempts; null when it gave no answer in time. */
  async check(timeoutMs: number): Promise<ContainerStatus | null> {
    const { answers } = this
    const seen = await lookAt(this.core, this.addr, timeoutMs, this.#stopped.signal)
    if (this.#stopped.signal.aborted) return null
    if (seen.kind === 'answered') {
      if (this.link === 'unknown' || this.link === 'up') this.#meet(seen)
      return seen.status
    }
    // Calls that are answered, or on their way, tell better whether it is there.
    if (this.link === 'up' && this.inFlight === 0 && this.answers === answers) {
      this.pacing.failed(seen.message, 0)
      this.send({ type: 'link.lost' })
    }
    return null
  }

  stop(): void {
    this.pacing.stop()
    this.#stopped.abort()
    this.#actor.stop()
  }

  send(event: CoordinatorEvent): void {
    if (!this.#stopped.signal.aborted) this.#actor.send(event)
  }

  /** Posts what is in the buffer, if the container is there. */
  flush(): void {
    if (this.buffer.size > 0 && this.link === 'up') this.#postBuffered('post.more')
  }

  #onTick(): void {
    if (this.cancels.size > 0) this.send({ type: 'cancel.post', calls: this.cancels.take() })
    if (this.buffer.size === 0) this.send({ type: 'tick.empty' })
    else if (this.link === 'up') this.#postBuffered('tick.post')
    else this.send({ type: this.link === 'unknown' ? 'tick.probe' : 'tick.hold' })
  }

  #postBuffered(type: 'tick.post' | 'post.more'): void {
    const { batches, refused } = this.buffer.takeAll(this.terms, this.core.clock.now())
    if (batches.length > 0) this.send({ type, batches })
    else if (type === 'tick.post') this.send({ type: 'tick.empty' })
    for (const { call, failure } of refused) call.slot.ended(call, failure)
  }

  #postAll(event: CoordinatorEvent): void {
    if (!('batches' in event)) return
    for (const batch of event.batches) if (arePending(batch)) void this.#post(new Post(batch, this.terms))
  }

  #postCancel(event: CoordinatorEvent): void {
    if (event.type === 'cancel.post' && arePending(event.calls)) this.cancels.post(event.calls)
  }

  async #post(post: Post): Promise<void> {
    const { core } = this
    this.#posts.push(post)
    this.posted.posts += 1
    this.posted.calls += post.calls.length
    const now = core.clock.now()
    for (const call of post.calls) {
      call.attempts += 1
      core.started(call, now)
    }
    if (core.emit !== undefined) announcePost(post, this.addr, core.emit)
    const delivery = await deliver(core.transport, this.addr, post, {
      answering: () => this.send({ type: 'post.answering' }),
      came: () => post.came(core.clock),
      take: (taken) => this.#take(post, taken),
    })
    post.close(core.clock)
    this.#posts.splice(this.#posts.indexOf(post), 1)
    if (this.#stopped.signal.aborted) return
    if (delivery.failure !== undefined && core.emit !== undefined) {
      announceFailure(post, this.addr, delivery.failure, core.emit)
    }
    conclude(this, post, delivery)
    this.send({ type: this.#posts.length > 0 ? 'post.ended' : 'post.drained' })
  }

  /** A line of a post's answer: for a call that was given up meanwhile it comes too late. */
  #take(post: Post, taken: NonNullable<Taken<PendingCall>>): void {
    const { call } = taken
    if (call.post !== post || this.#stopped.signal.aborted) return
    if (taken.kind === 'live') {
      call.live?.tell(taken.line)
      return
    }
    post.release(call)
    call.askedLedger = undefined
    call.endedAt = post.cameAt
    this.pacing.succeeded()
    if (post.waiting === 0) post.hangUpAfter(lastLineMs, this.core.clock)
    call.slot.ended(call, taken.settlement)
  }

  #meet({ status, isTelling }: Extract<Look, { kind: 'answered' }>): void {
    // Otherwise it is what it was.
    if (isTelling && this.core.transport.stream !== undefined) this.terms = termsOf(status)
    this.send({ type: this.terms === undefined ? 'probe.base' : 'probe.extended' })
  }

  /** One attempt to reach the container, for all calls that wait now. */
  async #probe(): Promise<void> {
    const calls = this.buffer.list()
    for (const call of calls) this.core.started(call)
    const seen = await lookAt(this.core, this.addr, probeTimeoutMs, this.#stopped.signal)
    if (this.#stopped.signal.aborted) return
    if (seen.kind === 'answered') {
      this.#meet(seen)
      this.flush()
      return
    }
    this.pacing.failed(seen.message, 0)
    for (const call of calls) call.attempts += 1
    countFailure(this, calls, notRun('unreachable', seen.message), this.pacing.pause.ms)
    this.send({ type: 'probe.failed' })
  }

  #schedulePause(): void {
    this.pacing.schedule(() => this.send({ type: this.buffer.size > 0 ? 'pause.over' : 'pause.idle' }))
    const { ms: pauseMs, reason } = this.pacing.pause
    const { emit } = this.core
    emit?.({ type: 'retry.scheduled', container: this.addr, calls: this.buffer.size, pauseMs, reason })
    this.onLinkDown?.()
  }
}
