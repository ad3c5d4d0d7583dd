/** Floor 3: what becomes of the calls of a post that has ended. Browser compatible. */
import type { CoordinatorEvent } from '../actors/messages.ts'
import type { LinkState } from '../actors/states.ts'
import type { Failed, Settlement } from '../batching/settlement.ts'
import { halve } from '../batching/take-batches.ts'
import type { Terms } from '../batching/terms.ts'
import type { CallBuffer } from './call-buffer.ts'
import type { Cancels } from './cancels.ts'
import type { Core } from './core.ts'
import type { Delivery } from './delivery.ts'
import type { Pacing } from './pacing.ts'
import type { PendingCall } from './pending-call.ts'
import type { Post } from './post.ts'

/** The container of the posts. */
export interface Posting {
  readonly core: Core
  readonly addr: string
  readonly buffer: CallBuffer
  readonly cancels: Cancels
  readonly pacing: Pacing
  readonly link: LinkState
  readonly terms: Terms | undefined
  send(event: CoordinatorEvent): void
  /** Posts what is in the buffer, if the container is there. */
  flush(): void
}

/** Settles the calls of a post, or has them wait for another one. */
export function conclude(container: Posting, post: Post, delivery: Delivery): void {
  if (delivery.kind === 'delivered') {
    settle(container, post, delivery.settlements)
    return
  }
  const calls = wanted(container, post, delivery.failure)
  if (delivery.kind === 'too-large') split(container, post, calls, delivery.failure)
  else if (delivery.kind === 'stale') meetAgain(container, post, calls, delivery.failure)
  else tryAgain(container, calls, delivery.failure, delivery.pauseMs)
}

/** Ends the calls of which this container could not say in their last attempt how they ended, and have none left. */
export function countFailure(
  { core, addr, buffer }: Posting,
  calls: readonly PendingCall[],
  failure: Failed,
  pauseMs: number,
): void {
  for (const call of calls) {
    if (!buffer.has(call)) continue
    call.lastFailure = failure
    call.failedAttempts += 1
    const isSpent = call.failedAttempts >= core.retry.attempts
    if (!isSpent && !core.outlasts(pauseMs, call)) continue
    const attempts = `${call.attempts} attempt${call.attempts === 1 ? '' : 's'}`
    const late = isSpent ? '' : ` (another after a pause of ${Math.round(pauseMs)} ms would come too late)`
    const message = `Failed after ${attempts}: ${failure.message}${late} (container ${addr})`
    core.giveUp(call, { ...failure, message })
  }
}

function settle({ core, pacing }: Posting, post: Post, settlements: readonly Settlement[]): void {
  const now = core.clock.now()
  post.calls.forEach((call, index) => {
    const settlement = settlements[index]
    if (settlement === undefined || call.post !== post) return
    call.endedAt = now
    post.release(call)
    if (settlement.kind === 'answered') pacing.succeeded()
    call.slot.ended(call, settlement)
  })
}

/** The calls of a failed post that somebody still waits for; the others end here, or as their cancellation says. */
function wanted({ cancels }: Posting, post: Post, failure: Failed): PendingCall[] {
  const calls: PendingCall[] = []
  for (const call of post.waitingCalls()) {
    post.release(call)
    if (failure.outcome !== 'not-run') call.askedLedger = post.ledger
    if (call.isFinished) call.slot.ended(call, failure)
    else if (call.givenUp === undefined) calls.push(call)
    else cancels.setAdrift(call)
  }
  return calls
}

function split(container: Posting, post: Post, calls: readonly PendingCall[], failure: Failed): void {
  const [only, ...others] = calls
  if (only === undefined) return
  if (others.length > 0) {
    container.send({ type: 'post.more', batches: halve(calls) })
    return
  }
  const message = `Cannot post call ${only.executionId}: its request has ${post.bytes} bytes, more than the server takes (${failure.message})`
  only.slot.ended(only, { ...failure, message })
}

/** The container is another one than the post was made for. The first look at what it is now costs the calls nothing. */
function meetAgain(container: Posting, post: Post, calls: readonly PendingCall[], failure: Failed): void {
  const { buffer, link, pacing, terms } = container
  const isNews = link === 'up' && post.terms?.ledger === terms?.ledger
  if (isNews && !pacing.isSteady) {
    tryAgain(container, calls, failure)
    return
  }
  for (const call of calls) buffer.add(call)
  if (isNews) {
    pacing.failed(failure.message, 0)
    container.send({ type: 'link.doubted' })
  }
  container.flush()
}

/** Those that have attempts and time left wait for the link. */
function tryAgain(
  container: Posting,
  calls: readonly PendingCall[],
  failure: Failed,
  askedPauseMs = 0,
): void {
  const { buffer, link, pacing } = container
  // One cut is not yet a container that is gone: the next attempt waits for no pause.
  const isDoubt = pacing.isSteady && wasCut(failure)
  for (const call of calls) buffer.add(call)
  if (link === 'up') pacing.failed(failure.message, askedPauseMs)
  countFailure(container, calls, failure, isDoubt ? 0 : pacing.pause.ms)
  if (isDoubt) container.send({ type: buffer.size > 0 ? 'link.doubted' : 'link.doubted.idle' })
  else container.send({ type: 'link.lost' })
}

/** The container was there, and said nothing of trouble. */
function wasCut({ outcome, code }: Failed): boolean {
  return outcome === 'unknown' && code !== 'http-error'
}
