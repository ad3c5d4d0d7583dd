/** Floor 3: the executor, where everything is wired. Browser compatible. */
import { ownLane } from '../batching/lanes.ts'
import { SandboxError, SandboxUsageError } from '../errors.ts'
import { type ContainerStatus, parseContainerStatus } from '../protocol/health.ts'
import { containerAddress } from './addresses.ts'
import type { ArchiveArtifactsResult, ListArtifactsResult, ReadArtifactResult } from './artifact-results.ts'
import * as artifacts from './artifacts.ts'
import { type BatchItem, type ByTool, checkedBatchItem, refuseDoubled } from './batch-items.ts'
import { CallMaker } from './call-maker.ts'
import type { Core } from './core.ts'
import { coreOf, type ExecutorPorts } from './core-of.ts'
import * as files from './files.ts'
import { revealInternals } from './internals.ts'
import * as options from './options.ts'
import { bodyOf, readHealth } from './probe.ts'
import type { ExecutionResult } from './results.ts'
import type { ArgsOf, Slot, SlotDoor, SlotInit, SlotJSON } from './slot.ts'
import { SlotTable } from './slot-table.ts'

const defaultHealthTimeoutMs = 5_000
const defaultCloseGraceMs = 2_000

/**
 * Runs tool calls in slots. Calls of one tick to one container share a POST; slots run side by side, the calls of one
 * slot in order. Trouble with tools, containers or the wire is a result; only misuse rejects.
 *
 * @throws {SandboxUsageError} for options that are unknown or of the wrong type
 * @example
 * ```ts
 * import { SandboxExecutor } from 'sandbox-slots'
 * await using executor = new SandboxExecutor({ timeoutMs: 10_000 })
 * const slots = executor.slots(CONTAINER, 2)
 * const results = await executor.executeBatch(slots.map((slot) => [slot, 'bash', { command: 'echo hi' }]))
 * console.log(results.map((result) => result.output)) // [ "hi", "hi" ]
 * ```
 */
export class SandboxExecutor implements SlotDoor, AsyncDisposable {
  readonly #core: Core
  readonly #slots: SlotTable
  readonly #maker: CallMaker
  #batches = 0
  #closing: Promise<void> | undefined

  constructor(given: options.SandboxExecutorOptions = {}, ports: ExecutorPorts = {}) {
    const checked = options.checkedExecutorOptions(given)
    this.#core = coreOf(checked, ports)
    this.#slots = new SlotTable(this.#core, this)
    this.#maker = new CallMaker(this.#core, this, checked.timeoutMs)
    revealInternals(this, {
      core: this.#core,
      slots: this.#slots,
      timeoutMs: checked.timeoutMs,
      execute: (slot, tool, args, given, queuedAt) => this.#execute(slot, tool, args, given, queuedAt),
    })
  }

  /** Calls that are not settled yet. */
  get pending(): number {
    return this.#core.size
  }

  /** The slot of this name; asking twice gives the same object. */
  slot(init: SlotInit): Slot {
    this.#refuseClosed()
    return this.#slots.slot(init)
  }

  /** All slots of a container that has `count` of them: `slot_0`, `slot_1`, … */
  slots(containerAddr: string, count: number): [Slot, ...Slot[]] {
    this.#refuseClosed()
    return this.#slots.slots(containerAddr, count)
  }

  /** The slot of `slot.toJSON()`: acquired or faulted as it was. A call that ran then is lost; its lease is kept. */
  slotFromJSON(json: SlotJSON): Slot {
    this.#refuseClosed()
    return this.#slots.slotFromJSON(json)
  }

  /**
   * Runs one tool call. Resolves whatever happens to tool and container: see `outcome` and `failure`.
   *
   * @throws {SandboxUsageError} (as a rejection) for misuse
   */
  execute<T extends string>(
    slot: Slot,
    tool: T,
    args: ArgsOf<T>,
    given?: options.ExecuteOptions,
  ): Promise<ExecutionResult> {
    return this.#execute(slot, tool, args, given)
  }

  /**
   * Runs calls side by side: one POST per container, results in the order of the items. Nothing runs when an item is
   * misused. A slot that appears twice runs its calls in order, the second one in a second POST.
   */
  async executeBatch<const Items extends readonly BatchItem[]>(
    items: Items & ByTool<Items>,
    given: options.CallOptions = {},
  ): Promise<ExecutionResult[]> {
    const { timeoutMs, signal } = options.checkedCallOptions(given)
    if (!Array.isArray(items))
      throw new SandboxUsageError('items', 'Cannot execute a batch: items must be an array')
    this.#batches += 1
    const lane = ownLane(`batch ${this.#batches}`)
    const calls = items.map((item, index) => {
      const { slot, tool, args, executionId, timeoutMs: own = timeoutMs } = checkedBatchItem(item, index)
      const asked = { timeoutMs: own, signal, executionId, listeners: undefined }
      return this.#calls.tool(slot, tool, args, asked, lane)
    })
    refuseDoubled(calls.map((call) => call.executionId))
    for (const call of calls) this.#core.submit(call)
    return Promise.all(calls.map((call) => call.promise))
  }

  /** Empties the slot's workspace, after the call that runs there. A failed reset faults the slot. */
  async resetSlot(slot: Slot, given: options.CallOptions = {}): Promise<ExecutionResult> {
    const call = this.#calls.reset(slot, options.checkedCallOptions(given))
    this.#core.submit(call)
    return call.promise
  }

  /** Reads a file of the slot's workspace, after the call that runs there. */
  async readArtifact(
    slot: Slot,
    path: string,
    given: artifacts.ReadArtifactOptions = {},
  ): Promise<ReadArtifactResult> {
    return artifacts.readArtifact(this.#calls.sender(slot), path, given)
  }

  /** Lists a directory of the slot's workspace, after the call that runs there. */
  async listArtifacts(
    slot: Slot,
    path = '.',
    given: artifacts.ListArtifactsOptions = {},
  ): Promise<ListArtifactsResult> {
    return artifacts.listArtifacts(this.#calls.sender(slot), path, given)
  }

  /** Packs a directory of the slot's workspace, after the call that runs there. */
  async archiveArtifacts(
    slot: Slot,
    path = '.',
    given: artifacts.ArchiveArtifactsOptions = {},
  ): Promise<ArchiveArtifactsResult> {
    return artifacts.archiveArtifacts(this.#calls.sender(slot), path, given)
  }

  /**
   * Writes a file of the slot's workspace, of any size, after the call that runs there: it replaces the old one when all
   * of it has come, and its SHA-256 is checked. Extended servers. `timeoutMs` is for the whole of it.
   */
  async upload(
    slot: Slot,
    path: string,
    data: files.UploadData,
    given: options.CallOptions = {},
  ): Promise<files.UploadResult> {
    return files.upload(this.#calls.fileSender(slot), path, data, given)
  }

  /**
   * Reads a file of the slot's workspace, of any size, after the call that runs there; the slot goes on when the content
   * has begun to come. Extended servers. `timeoutMs` is for its beginning, and for each pause on the way. Where it is cut,
   * the rest is asked for, if the file is still the same: `retry.attempts` requests in all.
   */
  async download(slot: Slot, path: string, given: options.CallOptions = {}): Promise<files.DownloadResult> {
    const { timeoutMs } = this.#maker
    const { attempts } = this.#core.retry
    return files.download(this.#calls.fileSender(slot), path, given, { timeoutMs, attempts })
  }

  /** Whether the container answers `GET /health` with 200 and status `ok` within `timeoutMs` (5,000). */
  async healthCheck(containerAddr: string, given: options.CallOptions = {}): Promise<boolean> {
    const exchange = await this.#health(containerAddr, given)
    return exchange.kind === 'ok' && parseContainerStatus(exchange.value)?.status === 'ok'
  }

  /** What the container says of itself, whatever the HTTP status; `null` when there is no JSON object in the answer. */
  async getContainerStatus(
    containerAddr: string,
    given: options.CallOptions = {},
  ): Promise<ContainerStatus | null> {
    return parseContainerStatus(bodyOf(await this.#health(containerAddr, given)))
  }

  /**
   * Ends the executor: what is not posted settles `not-run` (`closed`), what is posted has `graceMs` (2,000) to be
   * answered and is `unknown` then. Calls after it reject. Closing twice is closing once.
   */
  async close(given: { readonly graceMs?: number } = {}): Promise<void> {
    const { graceMs = defaultCloseGraceMs } = options.checkedCloseOptions(given)
    this.#closing ??= this.#close(graceMs)
    await this.#closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(graceMs: number): Promise<void> {
    await this.#core.drain(graceMs)
    this.#slots.stop()
  }

  #health(containerAddr: string, given: options.CallOptions): ReturnType<typeof readHealth> {
    this.#refuseClosed()
    const { timeoutMs = defaultHealthTimeoutMs, signal } = options.checkedCallOptions(given)
    const { transport, clock } = this.#core
    return readHealth(transport, clock, containerAddress(containerAddr), timeoutMs, signal)
  }

  /** The maker of calls, while calls are taken. */
  get #calls(): CallMaker {
    this.#refuseClosed()
    return this.#maker
  }

  /** Not async: that would be a second promise for each call. */
  #execute(
    slot: Slot,
    tool: string,
    args: object,
    given: options.ExecuteOptions | undefined,
    queuedAt?: number,
  ): Promise<ExecutionResult> {
    try {
      const call = this.#calls.asked(slot, tool, args, given, queuedAt)
      this.#core.submit(call)
      return call.promise
    } catch (error) {
      return Promise.reject(error)
    }
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined)
      throw new SandboxError('closed', 'Cannot use this executor: it is closed')
  }
}
