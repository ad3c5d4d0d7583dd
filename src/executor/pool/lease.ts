/** Floor 3: the right to use a slot until it is released. Browser compatible. */
import * as v from 'valibot'
import { type Failed, notRun } from '../../batching/settlement.ts'
import { SandboxError } from '../../errors.ts'
import { checked, refuseNonObject } from '../../usage.ts'
import type { ArchiveArtifactsResult, ListArtifactsResult, ReadArtifactResult } from '../artifact-results.ts'
import * as artifacts from '../artifacts.ts'
import { type BashOptions, bashCall } from '../bash-call.ts'
import type { Raw } from '../calls.ts'
import * as files from '../files.ts'
import type { ExecutorInternals } from '../internals.ts'
import type { CallOptions, ExecuteOptions } from '../options.ts'
import { type ExecutionResult, failedResult } from '../results.ts'
import type { ArgsOf, Slot, SlotArtifacts } from '../slot.ts'
import { type SlotTerminal, terminalOf } from '../terminal.ts'

/** Options of `lease.release`. */
export interface ReleaseOptions {
  /** Empty the workspace before the next owner gets the slot. Default true: the work is not trusted. */
  readonly reset?: boolean
}

const releaseOptions = v.strictObject({ reset: v.optional(v.boolean('it must be true or false'), true) })

/** What a lease asks of its pool. */
export interface LeaseDoor {
  readonly execute: ExecutorInternals['execute']
  /** Takes the slot back; resolves when nobody holds it any more. */
  release(lease: Lease, reset: boolean): Promise<void>
}

/** The container of a lease is lost, and what its slot held with it: the reason of `lease.signal`. */
export class LeaseLostError extends SandboxError {
  override name = 'LeaseLostError'

  constructor(
    readonly slotId: string,
    readonly containerAddr: string,
    reason: string,
  ) {
    super('lease', `The lease of slot ${slotId} at ${containerAddr} is lost: ${reason}`)
  }
}

/**
 * One slot, leased. Nobody else gets it before it is released. Once released it can do nothing; once lost its calls
 * end `not-run`, code `container-lost`.
 *
 * @example
 * ```ts
 * import { SlotPool, staticDiscovery } from 'sandbox-slots'
 * await using pool = await SlotPool.start({ discovery: staticDiscovery([CONTAINER]) })
 * await using lease = await pool.acquire()
 * await lease.writeFile('a.txt', 'hello')
 * console.log((await lease.readFile('a.txt')).output) // hello
 * ```
 */
export class Lease implements AsyncDisposable {
  readonly slotId: string
  readonly containerAddr: string
  readonly #slot: Slot
  readonly #door: LeaseDoor
  /** Made when somebody asks for it: most leases never need one. */
  #watched: AbortController | undefined
  #lost: LeaseLostError | undefined
  #released: Promise<void> | undefined

  /** @internal Use `pool.acquire`. */
  constructor(
    slot: Slot,
    /** Of all leases of the pool no two have the same: a stale holder can be told from the owner. */
    readonly generation: number,
    readonly trajectoryId: string | null,
    door: LeaseDoor,
  ) {
    this.slotId = slot.slotId
    this.containerAddr = slot.containerAddr
    this.#slot = slot
    this.#door = door
  }

  /** Fires when the container is lost, with a `LeaseLostError` as its reason. */
  get signal(): AbortSignal {
    this.#watched ??= new AbortController()
    if (this.#lost !== undefined) this.#watched.abort(this.#lost)
    return this.#watched.signal
  }

  /** Runs a tool call in the slot: as `executor.execute`. @throws {SandboxError} (as a rejection) once released */
  async execute<T extends string>(
    tool: T,
    args: ArgsOf<T>,
    options: ExecuteOptions = {},
  ): Promise<ExecutionResult> {
    return this.executeSince(undefined, tool, args, options)
  }

  /** @internal As `execute`, for a caller who has waited for the slot since `queuedAt`. */
  async executeSince(
    queuedAt: number | undefined,
    tool: string,
    args: object,
    options: ExecuteOptions,
  ): Promise<ExecutionResult> {
    refuseNonObject(options, 'call options')
    const lost = this.#lostResult(options.executionId)
    return lost ?? this.#door.execute(this.#held(), tool, args, options, queuedAt)
  }

  /** Runs one command in a fresh shell, in the workspace. */
  async bash(command: string, options: BashOptions = {}): Promise<ExecutionResult> {
    const { args, rest } = bashCall(command, options)
    return this.execute('bash', args, rest)
  }

  /** Reads a text file. */
  readFile(path: string, options: ExecuteOptions = {}): Promise<ExecutionResult> {
    return this.execute('read_file', { path }, options)
  }

  /** Writes a text file. */
  writeFile(path: string, content: string, options: ExecuteOptions = {}): Promise<ExecutionResult> {
    return this.execute('write_file', { path, content }, options)
  }

  /** Empties the workspace; the lease goes on. */
  async reset(options: CallOptions = {}): Promise<ExecutionResult> {
    return this.#lostResult(undefined) ?? this.#held().reset(options)
  }

  /** Files out of the workspace. */
  get artifacts(): SlotArtifacts {
    return {
      read: async (path, options = {}): Promise<ReadArtifactResult> =>
        this.#isLost
          ? artifacts.readArtifact(this.#refuse, path, options)
          : this.#held().artifacts.read(path, options),
      list: async (path = '.', options = {}): Promise<ListArtifactsResult> =>
        this.#isLost
          ? artifacts.listArtifacts(this.#refuse, path, options)
          : this.#held().artifacts.list(path, options),
      archive: async (path = '.', options = {}): Promise<ArchiveArtifactsResult> =>
        this.#isLost
          ? artifacts.archiveArtifacts(this.#refuse, path, options)
          : this.#held().artifacts.archive(path, options),
    }
  }

  /** A terminal in the slot, driven by keys and read as a screen. */
  get terminal(): SlotTerminal {
    return terminalOf((args, options) => this.execute('tmux', args, options))
  }

  /** Writes a file of any size: as `slot.upload`. */
  async upload(path: string, data: files.UploadData, options: CallOptions = {}): Promise<files.UploadResult> {
    return this.#isLost
      ? files.upload(this.#refuse, path, data, options)
      : this.#held().upload(path, data, options)
  }

  /** Reads a file of any size: as `slot.download`. */
  async download(path: string, options: CallOptions = {}): Promise<files.DownloadResult> {
    return this.#isLost
      ? files.download(this.#refuse, path, options, { timeoutMs: 0, attempts: 1 })
      : this.#held().download(path, options)
  }

  /**
   * Gives the slot back: what waits ends `not-run`, what runs is waited for, the workspace is emptied. Resolves when
   * nobody holds the slot any more. Releasing twice is releasing once.
   */
  async release(options: ReleaseOptions = {}): Promise<void> {
    const { reset } = checked(releaseOptions, options, 'release options')
    this.#released ??= this.#isLost ? Promise.resolve() : this.#door.release(this, reset)
    await this.#released
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }

  /** @internal Whether it was given back. */
  get isReleased(): boolean {
    return this.#released !== undefined
  }

  /** @internal The pool's: the container is lost. */
  lose(reason: string): void {
    if (this.#released !== undefined) return
    this.#lost = new LeaseLostError(this.slotId, this.containerAddr, reason)
    this.#watched?.abort(this.#lost)
  }

  /** @internal The slot while it is held; for the pool's batches. @throws {SandboxError} once released */
  held(): Slot | undefined {
    return this.#isLost ? undefined : this.#held()
  }

  /** @internal What a call gets once the lease is lost. */
  lostFailure(): Failed {
    return notRun('container-lost', this.#lost?.message ?? 'The lease is lost')
  }

  get #isLost(): boolean {
    return this.#lost !== undefined
  }

  #held(): Slot {
    if (this.#released === undefined) return this.#slot
    throw new SandboxError('lease', `Cannot use the lease of slot ${this.slotId}: it was released`)
  }

  #lostResult(executionId: string | undefined): ExecutionResult | undefined {
    return this.#isLost ? lostResult(this, executionId) : undefined
  }

  readonly #refuse = async (): Promise<Raw> => ({ settlement: this.lostFailure(), attempts: 0 })
}

/** The result of a call of a lease that is lost. */
export function lostResult(lease: Lease, executionId: string = crypto.randomUUID()): ExecutionResult {
  return notRunResult(lease.lostFailure(), lease.slotId, executionId, 0)
}

/** The result of a call that did not get as far as a slot. */
export function notRunResult(
  failure: Failed,
  slotId: string,
  executionId: string,
  queuedMs: number,
): ExecutionResult {
  const timing = { queuedMs, wireMs: 0, totalMs: queuedMs }
  return failedResult(failure, { executionId, slotId, attempts: 0, isGivenUp: false }, Object.freeze(timing))
}
