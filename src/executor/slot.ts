/** Floor 3: a slot as its users see it. Browser compatible. */
import type { SlotState } from '../actors/states.ts'
import { SandboxUsageError, SlotStateError } from '../errors.ts'
import type { KnownTool, ToolArgs } from '../protocol/tools.ts'
import type { ArchiveArtifactsResult, ListArtifactsResult, ReadArtifactResult } from './artifact-results.ts'
import type { ArchiveArtifactsOptions, ListArtifactsOptions, ReadArtifactOptions } from './artifacts.ts'
import { type BashOptions, bashCall } from './bash-call.ts'
import type { DownloadResult, UploadData, UploadResult } from './files.ts'
import type { CallOptions, ExecuteOptions } from './options.ts'
import type { ExecutionResult } from './results.ts'
import type { SlotRunner } from './slot-runner.ts'
import { type SlotTerminal, terminalOf } from './terminal.ts'

/** The arguments of a tool: checked by name for the tools that every server has. */
export type ArgsOf<T extends string> = T extends KnownTool ? ToolArgs[T] : Readonly<Record<string, unknown>>

/** What names a slot. */
export interface SlotInit {
  /** As the container calls it: `slot_0`, `slot_1`, … */
  readonly slotId: string
  /** Address of its container, as in `http://10.0.0.1:8080`. */
  readonly containerAddr: string
  /** The Nomad allocation of the container. */
  readonly allocId?: string
  readonly workspaceDir?: string
  /** Yours, kept as it is. */
  readonly metadata?: Readonly<Record<string, unknown>>
}

/** A slot as plain data, for `executor.slotFromJSON`. */
export interface SlotJSON extends SlotInit {
  readonly state: SlotState
  readonly trajectoryId: string | null
  /** Why it is faulted. */
  readonly faultReason?: string
}

/** What a slot asks of its executor. */
export interface SlotDoor {
  execute<T extends string>(
    slot: Slot,
    tool: T,
    args: ArgsOf<T>,
    options?: ExecuteOptions,
  ): Promise<ExecutionResult>
  resetSlot(slot: Slot, options?: CallOptions): Promise<ExecutionResult>
  readArtifact(slot: Slot, path: string, options?: ReadArtifactOptions): Promise<ReadArtifactResult>
  listArtifacts(slot: Slot, path?: string, options?: ListArtifactsOptions): Promise<ListArtifactsResult>
  archiveArtifacts(
    slot: Slot,
    path?: string,
    options?: ArchiveArtifactsOptions,
  ): Promise<ArchiveArtifactsResult>
  upload(slot: Slot, path: string, data: UploadData, options?: CallOptions): Promise<UploadResult>
  download(slot: Slot, path: string, options?: CallOptions): Promise<DownloadResult>
}

/** The artifact calls of one slot. */
export interface SlotArtifacts {
  read(path: string, options?: ReadArtifactOptions): Promise<ReadArtifactResult>
  list(path?: string, options?: ListArtifactsOptions): Promise<ListArtifactsResult>
  archive(path?: string, options?: ArchiveArtifactsOptions): Promise<ArchiveArtifactsResult>
}

const nothing = Object.freeze({})
/** What is behind a slot; assigned in the class, which alone sees it. */
let runnerBehind: (slot: Slot, owner: SlotDoor) => SlotRunner | undefined

/** The runner of a slot that `owner` made; what anything else made is refused. */
export function runnerOf(slot: unknown, owner: SlotDoor): SlotRunner {
  const runner = slot instanceof Slot ? runnerBehind(slot, owner) : undefined
  if (runner !== undefined) return runner
  throw new SandboxUsageError(
    'slot',
    'Cannot use this slot: it must come from the slot method of the same executor',
  )
}

/**
 * One workspace in a container. Made by `executor.slot`. One call of a slot runs at a time; later ones wait, in order.
 *
 * @example
 * ```ts
 * import { SandboxExecutor } from 'sandbox-slots'
 * await using executor = new SandboxExecutor()
 * const slot = executor.slot({ slotId: 'slot_0', containerAddr: CONTAINER })
 * await slot.writeFile('hello.txt', 'hello')
 * const { output } = await slot.bash('cat hello.txt')
 * console.log(output) // hello
 * ```
 */
export class Slot {
  readonly slotId: string
  readonly containerAddr: string
  readonly allocId: string | undefined
  readonly workspaceDir: string | undefined
  readonly metadata: Readonly<Record<string, unknown>>
  readonly #runner: SlotRunner
  readonly #door: SlotDoor

  static {
    runnerBehind = (slot, owner) => (#door in slot && slot.#door === owner ? slot.#runner : undefined)
  }

  /** @internal Use `executor.slot`. */
  constructor(init: SlotInit, runner: SlotRunner, door: SlotDoor) {
    this.slotId = init.slotId
    this.containerAddr = runner.container.addr
    this.allocId = init.allocId
    this.workspaceDir = init.workspaceDir
    this.metadata = init.metadata === undefined ? nothing : Object.freeze({ ...init.metadata })
    this.#runner = runner
    this.#door = door
  }

  /** What the slot is doing. */
  get state(): SlotState {
    return this.#runner.state
  }

  /** Whose the slot is, while it is acquired. */
  get trajectoryId(): string | null {
    return this.#runner.trajectoryId
  }

  /** Leases the slot until `release`. @throws {SlotStateError} when it is not idle */
  acquire(trajectoryId?: string): void {
    if (trajectoryId !== undefined && (typeof trajectoryId !== 'string' || trajectoryId === '')) {
      throw new SandboxUsageError(
        'trajectoryId',
        'Cannot acquire a slot: trajectoryId must be a string, not empty',
      )
    }
    if (this.state !== 'idle') throw new SlotStateError(this.slotId, this.state, 'acquire')
    this.#runner.acquire(trajectoryId ?? null)
  }

  /** Ends the lease. @throws {SlotStateError} when there is none, or while a call runs */
  release(): void {
    if (this.state !== 'acquired') throw new SlotStateError(this.slotId, this.state, 'release')
    this.#runner.endLease()
  }

  /**
   * Takes the slot out of use: its lease ends, and its calls end `not-run` until a reset succeeds. A call that runs
   * ends as it ends.
   */
  markFaulted(reason: string): void {
    if (typeof reason !== 'string' || reason === '') {
      throw new SandboxUsageError('reason', `Cannot mark slot ${this.slotId} as faulted: it takes a reason`)
    }
    this.#runner.fault(reason)
  }

  /** Runs one command in a fresh shell, in the workspace. */
  async bash(command: string, options: BashOptions = {}): Promise<ExecutionResult> {
    const { args, rest } = bashCall(command, options)
    return this.#door.execute(this, 'bash', args, rest)
  }

  /** Reads a text file of at most 100,000 bytes: its content is the result's `output`. */
  readFile(path: string, options: ExecuteOptions = {}): Promise<ExecutionResult> {
    return this.#door.execute(this, 'read_file', { path }, options)
  }

  /** Writes a text file of at most 100,000 characters; parent directories are made. */
  writeFile(path: string, content: string, options: ExecuteOptions = {}): Promise<ExecutionResult> {
    return this.#door.execute(this, 'write_file', { path, content }, options)
  }

  /** Empties the workspace. */
  reset(options: CallOptions = {}): Promise<ExecutionResult> {
    return this.#door.resetSlot(this, options)
  }

  /** Files out of the workspace. */
  get artifacts(): SlotArtifacts {
    return {
      read: (path, options) => this.#door.readArtifact(this, path, options),
      list: (path, options) => this.#door.listArtifacts(this, path, options),
      archive: (path, options) => this.#door.archiveArtifacts(this, path, options),
    }
  }

  /** A terminal in the slot, driven by keys and read as a screen. */
  get terminal(): SlotTerminal {
    return terminalOf((args, options) => this.#door.execute(this, 'tmux', args, options))
  }

  /**
   * Writes a file of any size: text, bytes, a Blob (`Bun.file(path)`) or a stream. Extended servers.
   *
   * @example
   * ```ts
   * import { SandboxExecutor } from 'sandbox-slots'
   * await using executor = new SandboxExecutor()
   * const slot = executor.slot({ slotId: 'slot_0', containerAddr: CONTAINER })
   * const { success, sha256, error } = await slot.upload('data/in.bin', new Uint8Array(1_000_000))
   * ```
   */
  upload(path: string, data: UploadData, options: CallOptions = {}): Promise<UploadResult> {
    return this.#door.upload(this, path, data, options)
  }

  /**
   * Reads a file of any size: `body` is its content, as a stream. Extended servers.
   *
   * @example
   * ```ts
   * import { SandboxExecutor } from 'sandbox-slots'
   * await using executor = new SandboxExecutor()
   * const slot = executor.slot({ slotId: 'slot_0', containerAddr: CONTAINER })
   * const { success, body } = await slot.download('data/out.bin')
   * const bytes = await new Response(body).bytes() // in Bun, to a disk: Bun.write(path, new Response(body))
   * ```
   */
  download(path: string, options: CallOptions = {}): Promise<DownloadResult> {
    return this.#door.download(this, path, options)
  }

  /** Plain data, for `executor.slotFromJSON`. */
  toJSON(): SlotJSON {
    const { allocId, workspaceDir, state } = this
    return {
      slotId: this.slotId,
      containerAddr: this.containerAddr,
      ...(allocId === undefined ? {} : { allocId }),
      ...(workspaceDir === undefined ? {} : { workspaceDir }),
      metadata: this.metadata,
      state,
      trajectoryId: this.trajectoryId,
      ...(state === 'faulted' ? { faultReason: this.#runner.faultReason } : {}),
    }
  }
}
