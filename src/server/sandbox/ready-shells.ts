/**
 * Sandboxes that are ready before their call: each slot has its next one waiting, which serves one command and is thrown
 * away whole. So nothing passes from call to call but the workspace, and no call waits for its namespaces.
 */
import { describeThrown } from '../../errors.ts'
import type { Tell } from '../operation/events.ts'
import type { Place } from './command-line.ts'
import type { Isolation } from './isolation.ts'
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
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000

interface Waiting {
  readonly shell: Shell
  /** The directory that it sees, whatever has its name now. */
  readonly directory: string
  readonly idle: ReturnType<typeof setTimeout>
}

interface Record {
  /** Makes the sandboxes that wait, where it can; lives as long as one of them waits or runs. */
  readonly holder: SlotHolder
  waiting: Waiting | null
  later: ReturnType<typeof setTimeout> | null
  failures: number
  /** What the slot's user did after the last call: then the next sandbox is made sooner or later. */
  wasReset: boolean
  expectsReset: boolean
  network: boolean
}

export class ReadyShells {
  readonly #isolation: Isolation
  readonly #options: ReadyOptions
  readonly #records = new Map<string, Record>()
  readonly #living = new Set<Shell>()
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

  /** The slot's waiting sandbox, or a new one. Throws when nothing can be spawned. */
  take(place: Place, network: boolean): Taken {
    const record = this.#recordOf(place)
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
    return { shell: this.#start(record, place, network), hadWaited: false }
  }

  /** Sees to it that a sandbox waits for the slot's next call. */
  warm(place: Place): void {
    const record = this.#recordOf(place)
    if (record.waiting !== null || this.#isClosed) return
    if (this.#waiting >= this.#options.maxWaiting) {
      record.holder.close()
      return
    }
    if (record.failures > 0 && record.later !== null) return
    this.#cancelLater(record)
    let shell: Shell
    try {
      if (!record.network) record.holder.open(place)
      shell = this.#start(record, place, record.network)
    } catch {
      this.#warmLater(place, record, pauseAfter(++record.failures))
      return
    }
    const idle = setTimeout(() => {
      this.#end(record)
      record.holder.close()
    }, this.#options.idleMs)
    idle.unref()
    const waiting = { shell, directory: identity(place.workspace), idle }
    record.waiting = waiting
    this.#waiting += 1
    void shell.ready.then((isReady) => {
      if (isReady) record.failures = 0
    })
    void shell.ended.then(() => {
      // Still waiting: it failed, or somebody killed it.
      if (record.waiting !== waiting) return
      this.#unhook(record)
      this.#warmLater(place, record, pauseAfter(++record.failures))
    })
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
      this.#cancelLater(record)
      this.#end(record)
    }
    await Promise.all([...this.#living].map((shell) => shell.ended))
    const records = [...this.#records.values()]
    for (const { holder } of records) holder.close()
    await Promise.all(records.map(({ holder }) => holder.ended))
  }

  #start({ holder }: Record, place: Place, network: boolean): Shell {
    let shell: Shell
    try {
      shell = new Shell(this.#isolation, place, network, network ? null : holder.of(place))
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

  #warmLater(place: Place, record: Record, ms: number): void {
    this.#cancelLater(record)
    if (this.#isClosed || this.#options.maxWaiting === 0) return
    const timer = setTimeout(() => {
      record.later = null
      this.warm(place)
    }, ms)
    timer.unref()
    record.later = timer
  }

  #cancelLater(record: Record): void {
    if (record.later !== null) clearTimeout(record.later)
    record.later = null
  }

  #end(record: Record): void {
    void this.#unhook(record)?.shell.kill()
  }

  #unhook(record: Record): Waiting | null {
    const { waiting } = record
    if (waiting === null) return null
    clearTimeout(waiting.idle)
    record.waiting = null
    this.#waiting -= 1
    return waiting
  }

  #recordOf({ workspace }: Place): Record {
    const known = this.#records.get(workspace)
    if (known !== undefined) return known
    const record: Record = {
      holder: new SlotHolder(this.#isolation),
      waiting: null,
      later: null,
      failures: 0,
      wasReset: false,
      expectsReset: false,
      network: false,
    }
    this.#records.set(workspace, record)
    return record
  }
}

function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS)
}
