/**
 * Sandboxes that are ready before their call: each slot has its next one waiting, which serves one command and is thrown
 * away whole. So nothing passes from call to call but the workspace, and no call waits for its namespaces.
 */
import { describeThrown } from '../../errors.ts'
import type { Tell } from '../operation/events.ts'
import type { Place } from './command-line.ts'
import type { Holder } from './holder.ts'
import type { Isolation } from './isolation.ts'
import { programOf } from './plain-program.ts'
import { newReadySlot, pauseAfter, type ReadySlot, type Waiting } from './ready-slot.ts'
import { Refills } from './refills.ts'
import { Shell } from './shell.ts'
import { identity, SlotHolder } from './slot-holder.ts'

export interface ReadyOptions {
  /** How many may wait in all; 0: each call makes its own. */
  readonly maxWaiting: number
  /** A sandbox that nobody wanted for so long is ended. */
  readonly idleMs: number
}

export const usualReady: ReadyOptions = { maxWaiting: 64, idleMs: 30_000 }

export interface Taken {
  readonly shell: Shell
  /** It was made before its call: that it can be made says nothing of now. */
  readonly hadWaited: boolean
}

export interface ReadyHealth {
  /** How many sandboxes in a row failed to start; 0 when the last one started. */
  readonly failures: number
  /** Why the last one did. */
  readonly reason: string | null
  /** How many wait for a call now. */
  readonly waiting: number
}

/** A slot that is about to be reset has no use for a sandbox: after a call, so long is waited for its reset. */
const RESET_IS_NEAR_MS = 20

export class ReadyShells {
  readonly #isolation: Isolation
  readonly #options: ReadyOptions
  readonly #records = new Map<string, ReadySlot>()
  readonly #living = new Set<Shell>()
  readonly #holders = new Set<Holder>()
  readonly #refills = new Refills()
  #waiting = 0
  #failures = 0
  #reason: string | null = null
  #isClosed = false

  constructor(
    isolation: Isolation,
    options: ReadyOptions = usualReady,
    private readonly tell: Tell = () => {},
  ) {
    this.#isolation = isolation
    this.#options = isolation.kind === 'none' ? { ...options, maxWaiting: 0 } : options
  }

  /** The slot's waiting sandbox, or a new one, for this command. Throws when nothing can be spawned. */
  take(place: Place, network: boolean, command: string): Taken {
    const record = this.#recordOf(place)
    // Known of a sandbox that is made now, and likely of the next.
    record.shellLater = programOf(command) !== null
    const taken = this.#take(record, place, network)
    const { ended } = taken.shell
    record.isBusy = true
    void ended.then(() => {
      record.isBusy = false
    })
    this.#refills.yieldTo(ended)
    return taken
  }

  #take(record: ReadySlot, place: Place, network: boolean): Taken {
    this.#refills.drop(record)
    record.expectsReset = record.wasReset
    record.wasReset = false
    record.network = network
    // A pause after failures is kept.
    if (record.failures === 0) this.#cancelLater(record)
    const waiting = this.#unhook(record)
    if (waiting !== null) {
      if (waiting.shell.network === network && waiting.directory === identity(place.workspace)) {
        return { shell: waiting.shell, hadWaited: true }
      }
      void waiting.shell.kill()
    }
    // Called again before its next sandbox was made: on a busy server, so from now on by a holder, which is less to do.
    const byHolder = record.wasMissed && this.#holders.size < this.#options.maxWaiting
    record.wasMissed = true
    return { shell: this.#start(record, place, network, byHolder), hadWaited: false }
  }

  /** Sees to it that a sandbox waits for the slot's next call, when others have no need of the processors. */
  warm(place: Place): void {
    const record = this.#recordOf(place)
    if (record.waiting !== null || record.isBusy || this.#isClosed) return
    if (record.failures > 0 && record.later !== null) return
    this.#cancelLater(record)
    this.#refills.add(record, () => this.#make(place, record))
  }

  async #make(place: Place, record: ReadySlot): Promise<void> {
    if (this.#waiting >= this.#options.maxWaiting) {
      record.holder.close()
      return
    }
    let shell: Shell
    try {
      shell = this.#start(record, place, record.network, true)
    } catch {
      this.#warmLater(place, record, pauseAfter(++record.failures))
      return
    }
    const idle = setTimeout(() => {
      this.#end(record)
      record.holder.close()
    }, this.#options.idleMs)
    const waiting = { shell, directory: identity(place.workspace), idle }
    record.waiting = waiting
    this.#waiting += 1
    void shell.ended.then(() => {
      // Still waiting: it failed, or somebody killed it.
      if (record.waiting !== waiting) return
      this.#unhook(record)
      this.#warmLater(place, record, pauseAfter(++record.failures))
    })
    if (await shell.ready) record.failures = 0
  }

  /** A call of the slot has ended: the next sandbox is made now, or a little later when a reset is near. */
  used(place: Place): void {
    const record = this.#recordOf(place)
    // A reset has come meanwhile: the workspace may be on its way out, and the end of the reset makes the next sandbox.
    if (record.wasReset) return
    if (record.expectsReset) this.#warmLater(place, record, RESET_IS_NEAR_MS)
    else this.warm(place)
  }

  /** Ends the slot's waiting sandbox: it sees the workspace that is about to go. */
  discard(place: Place): void {
    const record = this.#recordOf(place)
    record.wasReset = true
    this.#refills.drop(record)
    this.#cancelLater(record)
    this.#end(record)
  }

  get health(): ReadyHealth {
    return { failures: this.#failures, reason: this.#reason, waiting: this.#waiting }
  }

  /** Ends what waits; resolves when no sandbox is alive. Those that run are killed by whoever runs them. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const record of this.#records.values()) {
      this.#refills.drop(record)
      this.#cancelLater(record)
      this.#end(record)
    }
    await Promise.all([...this.#living].map((shell) => shell.ended))
    for (const { holder } of this.#records.values()) holder.close()
    await Promise.all([...this.#holders].map((holder) => holder.ended))
  }

  #start({ holder, shellLater }: ReadySlot, place: Place, network: boolean, opensHolder: boolean): Shell {
    let shell: Shell
    try {
      if (opensHolder && !network) holder.open(place)
      shell = new Shell(this.#isolation, place, network, network ? null : holder.of(place), shellLater)
    } catch (thrown) {
      this.#failed(describeThrown(thrown))
      throw thrown
    }
    this.#living.add(shell)
    if (shell.isSandbox) this.tell({ type: 'sandbox.started' })
    void shell.ended.then((end) => {
      this.#living.delete(shell)
      if (!shell.isReady && !shell.isKilled) this.#failed(shell.failure(end))
      else if (shell.isSandbox) this.tell({ type: 'sandbox.ended', how: shell.hasTaken ? 'used' : 'unused' })
    })
    void shell.ready.then((isReady) => {
      if (!isReady) return
      this.#failures = 0
      this.#reason = null
    })
    return shell
  }

  #failed(reason: string): void {
    this.tell({ type: 'sandbox.ended', how: 'failed', reason })
    this.#failures += 1
    this.#reason = reason
  }

  #warmLater(place: Place, record: ReadySlot, ms: number): void {
    this.#cancelLater(record)
    if (this.#isClosed || this.#options.maxWaiting === 0) return
    const timer = setTimeout(() => {
      record.later = null
      this.warm(place)
    }, ms)
    record.later = timer
  }

  #cancelLater(record: ReadySlot): void {
    if (record.later !== null) clearTimeout(record.later)
    record.later = null
  }

  #end(record: ReadySlot): void {
    void this.#unhook(record)?.shell.kill()
  }

  #unhook(record: ReadySlot): Waiting | null {
    const { waiting } = record
    if (waiting === null) return null
    clearTimeout(waiting.idle)
    record.waiting = null
    this.#waiting -= 1
    return waiting
  }

  #recordOf({ workspace }: Place): ReadySlot {
    const known = this.#records.get(workspace)
    if (known !== undefined) return known
    const record = newReadySlot(new SlotHolder(this.#isolation, this.#holders))
    this.#records.set(workspace, record)
    return record
  }
}
