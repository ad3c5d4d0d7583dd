/** Floor 3: between two owners: a slot is taken back, emptied, free again or in quarantine. Browser compatible. */
import { aloneRequest, ExecutionCall } from '../calls.ts'
import type { ExecutorInternals } from '../internals.ts'
import type { SlotDoor } from '../slot.ts'
import type { PoolEvent } from './pool-events.ts'
import type { PooledSlot } from './pooled-container.ts'

/** What a keeper is made of. */
export interface SlotKeeperParts {
  readonly executor: SlotDoor
  readonly internals: ExecutorInternals
  readonly emit: ((event: PoolEvent) => void) | undefined
  /** The slot can be leased. */
  readonly onFree: (pooled: PooledSlot) => void
}

/** Makes slots ready for their next owner. What belongs to a container that is lost is left alone. */
export class SlotKeeper {
  readonly #parts: SlotKeeperParts

  constructor(parts: SlotKeeperParts) {
    this.#parts = parts
  }

  /** Takes a slot back from its lease; resolves when nobody holds it. */
  async giveBack(pooled: PooledSlot, reset: boolean): Promise<void> {
    const { runner, home } = pooled
    // A fault ends the lease in the slot's chart; its holder may have mended the slot since then, and used it again.
    const isLeased = runner.isLeased
    if (isLeased) runner.endLease(reset ? this.#resetCall(pooled) : undefined)
    const state = await runner.untilFree()
    if (home.state === 'lost') return
    home.unlease(pooled, this.#parts.internals.core.clock.now())
    if (state === 'faulted') this.#quarantined(pooled)
    else if (reset && !isLeased) await this.empty(pooled)
    else this.#parts.onFree(pooled)
  }

  /** Empties a slot that nobody holds. */
  async empty(pooled: PooledSlot): Promise<void> {
    const { runner } = pooled
    const { success, error } = await this.#parts.executor.resetSlot(pooled.slot)
    if (pooled.home.state === 'lost' || pooled.lease !== undefined) return
    if (success) {
      this.#parts.onFree(pooled)
      return
    }
    // It was given up before it began, as with the last lease of a life before.
    if (!runner.isFaulted) runner.fault(`its reset was not made: ${error}`)
    this.#quarantined(pooled)
  }

  /** A slot in quarantine gets another reset. */
  async tryAgain(pooled: PooledSlot): Promise<void> {
    if (pooled.lease === undefined && pooled.runner.state === 'faulted') await this.empty(pooled)
  }

  /** Somebody uses the slot through the executor, past the pool: it comes back when that is over. */
  async awaitOthers(pooled: PooledSlot): Promise<void> {
    const state = await pooled.runner.untilFree()
    if (pooled.home.state === 'lost') return
    if (state === 'idle') this.#parts.onFree(pooled)
    else this.#quarantined(pooled)
  }

  #quarantined({ home, slot }: PooledSlot): void {
    this.#parts.emit?.({ type: 'slot.quarantined', container: home.addr, slotId: slot.slotId })
  }

  #resetCall({ runner }: PooledSlot): ExecutionCall {
    const { core, timeoutMs } = this.#parts.internals
    const parts = {
      slot: runner,
      tool: 'reset',
      executionId: core.ids.next(),
      timeoutMs,
      signal: undefined,
    }
    const queuedAt = core.clock.now()
    const call = new ExecutionCall(aloneRequest({ ...parts, queuedAt, route: '/reset' }, {}))
    core.admit(call)
    return call
  }
}
