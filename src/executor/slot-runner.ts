/** Floor 3: a slot's actor and the calls that wait behind the one in flight. Browser compatible. */
import { type ActorRefFrom, type SnapshotFrom, waitFor } from 'xstate'
import { createLearnedActor } from '../actors/learned-actor.ts'
import { withLearnedEdges } from '../actors/learned-edges.ts'
import type { Call, SlotEvent } from '../actors/messages.ts'
import { slotMachine } from '../actors/slot.machine.ts'
import { type SlotState, slotStateOf } from '../actors/states.ts'
import { type Failed, notRun, type Settlement } from '../batching/settlement.ts'
import { SandboxError } from '../errors.ts'
import { CallQueue } from './call-queue.ts'
import type { Core } from './core.ts'
import { type CallContainer, type CallSlot, PendingCall } from './pending-call.ts'

/** One machine for all slots: its actions find their way through the event. */
const wiredSlotMachine = withLearnedEdges(
  slotMachine.provide({
    actions: {
      start: ({ event }) => enqueue('call' in event ? event.call : undefined),
      startNext: ({ event }) => enqueue('next' in event ? event.next : undefined),
      wait: ({ event }) => waitBehind('call' in event ? event.call : undefined),
      settle: ({ event }) => settle(event),
      requestCancel: ({ event }) => requestCancel('call' in event ? event.call : undefined),
      refuse: ({ event }) => refuse('call' in event ? event.call : undefined),
      refuseWaiting: ({ event }) => refuseWaiting(event),
    },
  }),
)

function enqueue(call: Call | undefined): void {
  const pending = pendingCall(call)
  pending.slot.container.enqueue(pending)
}

function waitBehind(call: Call | undefined): void {
  const pending = pendingCall(call)
  pending.slot.waiting.add(pending)
}

function settle(event: SlotEvent): void {
  if ('settlement' in event) runnerOf(event.call).settle(event.call, event.settlement)
}

function requestCancel(call: Call | undefined): void {
  const pending = pendingCall(call)
  runnerOf(call).awaitCancel(pending)
  pending.slot.container.cancel(pending)
}

function refuse(call: Call | undefined): void {
  const runner = runnerOf(call)
  runner.refuse(pendingCall(call), runner.faultedFailure())
}

function refuseWaiting(event: SlotEvent): void {
  if (!('refused' in event)) return
  for (const call of event.refused) runnerOf(call).refuse(pendingCall(call), event.failure)
}

function pendingCall(call: Call | undefined): PendingCall {
  if (call instanceof PendingCall) return call
  throw new SandboxError('internal', 'The slot chart was given a call that no executor made')
}

function runnerOf(call: Call | undefined): SlotRunner {
  const { slot } = pendingCall(call)
  if (slot instanceof SlotRunner) return slot
  throw new SandboxError('internal', 'The slot chart was given a call of no slot')
}

/** Runs one slot: every change goes through its chart. */
export class SlotRunner implements CallSlot {
  /** Calls behind the one in flight, in order. */
  readonly waiting: CallQueue<PendingCall> = new CallQueue()
  trajectoryId: string | null = null
  faultReason = ''
  readonly #core: Core
  readonly #actor: ActorRefFrom<typeof slotMachine>

  constructor(
    readonly slotId: string,
    readonly container: CallContainer,
    core: Core,
  ) {
    this.#core = core
    this.#actor = createLearnedActor(wiredSlotMachine, core.actorOptions(`${container.addr}/${slotId}`))
    if (core.emit !== undefined) this.#announceChanges(core.emit)
    this.#actor.start()
  }

  get state(): SlotState {
    return slotStateOf(this.#actor.getSnapshot())
  }

  acquire(trajectoryId: string | null): void {
    this.trajectoryId = trajectoryId
    this.#actor.send({ type: 'acquire', trajectoryId })
  }

  /** Ends the lease: what waits ends `not-run`, what runs is waited for; then, with a reset call, the slot is emptied. */
  endLease(reset?: PendingCall): void {
    this.trajectoryId = null
    const failure = notRun('closed', `The lease of slot ${this.slotId} was over before the call was posted`)
    const refused = this.waiting.takeAll()
    if (reset === undefined) this.#actor.send({ type: 'release', refused, failure })
    else this.#actor.send({ type: 'release.reset', call: reset, refused, failure })
  }

  /** Somebody has acquired it and not released it, and no fault has ended that. */
  get isLeased(): boolean {
    return this.#actor.getSnapshot().matches('acquired')
  }

  /** Its lease is over, whatever still goes on there. */
  get isFaulted(): boolean {
    return this.#actor.getSnapshot().matches('faulted')
  }

  /** Resolves when nobody holds the slot any more: it is idle, or faulted, or its executor is closed. */
  async untilFree(): Promise<'idle' | 'faulted'> {
    const isFree = (each: SnapshotFrom<typeof slotMachine>) =>
      each.hasTag('idle') || each.matches({ faulted: 'quarantined' }) || each.status === 'stopped'
    return (await waitFor(this.#actor, isFree)).matches('faulted') ? 'faulted' : 'idle'
  }

  submit(call: PendingCall): void {
    this.#actor.send({ type: call.route === '/reset' ? 'reset' : 'execute', call })
  }

  /** The call that was in flight has ended. */
  ended(call: PendingCall, settlement: Settlement): void {
    this.#core.forget(call)
    const failed = call.route === '/reset' && resetFailed(settlement)
    const next = failed ? undefined : this.waiting.takeFirst()
    if (failed) this.#resetFailed(call, settlement)
    else if (next === undefined) this.#actor.send({ type: 'settled', call, settlement })
    else
      this.#actor.send({
        type: next.route === '/reset' ? 'settled.reset' : 'settled.next',
        call,
        settlement,
        next,
      })
  }

  /** The caller gave up a posted call: its result is told now, the slot waits for the server. */
  cancel(call: PendingCall, settlement: Settlement): void {
    this.#actor.send({ type: 'cancel', call, settlement })
  }

  /** The caller gave up a call that the server can end. */
  askCancel(call: PendingCall): void {
    this.#actor.send({ type: 'cancel.ask', call })
  }

  awaitCancel(call: PendingCall): void {
    this.#core.awaitCancel(call)
  }

  fault(reason: string): void {
    this.faultReason = reason
    this.trajectoryId = null
    this.#actor.send({ type: 'fault', refused: this.waiting.takeAll(), failure: this.faultedFailure() })
  }

  faultedFailure(): Failed {
    return notRun(
      'slot-faulted',
      `Slot ${this.slotId} is faulted until a reset succeeds: ${this.faultReason}`,
    )
  }

  settle(call: Call, settlement: Settlement): void {
    this.#core.finish(pendingCall(call), settlement)
  }

  refuse(call: PendingCall, failure: Failed): void {
    this.#core.finish(call, failure)
    this.#core.forget(call)
  }

  stop(): void {
    this.#actor.stop()
  }

  #resetFailed(call: PendingCall, settlement: Settlement): void {
    this.faultReason = `its reset failed: ${reasonOf(settlement)}`
    this.trajectoryId = null
    const refused = this.waiting.takeAll()
    this.#actor.send({ type: 'reset.failed', call, settlement, refused, failure: this.faultedFailure() })
  }

  #announceChanges(emit: NonNullable<Core['emit']>): void {
    let from = this.state
    this.#actor.subscribe(() => {
      const to = this.state
      if (to === from) return
      emit({ type: 'slot.changed', container: this.container.addr, slotId: this.slotId, from, to })
      from = to
    })
  }
}

/** A reset that provably never began leaves the slot as it was. */
function resetFailed(settlement: Settlement): boolean {
  if (settlement.kind === 'answered') return !succeeded(settlement.value)
  return !(settlement.code === 'aborted' && settlement.outcome === 'not-run') && settlement.code !== 'closed'
}

function succeeded(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'success' in value && value.success === true
}

function reasonOf(settlement: Settlement): string {
  if (settlement.kind === 'failed') return settlement.message
  const { value } = settlement
  return typeof value === 'object' && value !== null && 'error' in value
    ? String(value.error)
    : 'no reason given'
}
