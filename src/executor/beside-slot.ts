/** Floor 3: calls that do not wait for the slot whose files they read. Browser compatible. */
import type { Settlement } from '../batching/settlement.ts'
import { CallQueue } from './call-queue.ts'
import type { Core } from './core.ts'
import type { CallContainer, CallSlot, PendingCall } from './pending-call.ts'

/** Stands in for a slot: its calls go to the container at once, and hold up nothing. They cannot be cancelled on the server. */
export class BesideSlot implements CallSlot {
  readonly slotId: string
  readonly container: CallContainer
  readonly waiting: CallQueue<PendingCall> = new CallQueue()
  readonly #core: Core

  constructor({ slotId, container }: Pick<CallSlot, 'slotId' | 'container'>, core: Core) {
    this.slotId = slotId
    this.container = container
    this.#core = core
  }

  submit(call: PendingCall): void {
    this.container.enqueue(call)
  }

  ended(call: PendingCall, settlement: Settlement): void {
    this.#core.finish(call, settlement)
    this.#core.forget(call)
  }

  cancel(call: PendingCall, settlement: Settlement): void {
    this.ended(call, settlement)
  }

  askCancel(): void {}
}
