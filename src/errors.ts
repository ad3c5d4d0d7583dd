/** Floor 0: the errors that are thrown. Trouble with tools, containers or the wire is never thrown: it is a result. */

/** Why the infrastructure could not say how a call ended. */
export type FailureCode =
  | 'unreachable'
  | 'http-error'
  | 'bad-response'
  | 'missing-result'
  | 'too-large'
  | 'deadline'
  | 'aborted'
  | 'closed'
  | 'slot-faulted'
  | 'container-lost'
  | 'interrupted'
  | 'conflict'
  | 'unsupported'

/** What a {@link SandboxError} can be about. */
export type SandboxErrorCode =
  | 'usage'
  | 'slot-state'
  | 'closed'
  | 'acquire'
  | 'lease'
  | 'isolation'
  | 'server'
  | 'content'
  | 'internal'

/**
 * The base of every error that this module throws.
 *
 * @example
 * ```ts
 * import { SandboxError } from 'sandbox-slots'
 * const error = SandboxError.from('disk full')
 * console.log(error.code, error.message) // internal disk full
 * ```
 */
export class SandboxError extends Error {
  override name = 'SandboxError'

  constructor(
    readonly code: SandboxErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }

  /** Turns whatever was thrown into a `SandboxError`; one that is already of this kind is returned as it is. */
  static from(thrown: unknown): SandboxError {
    if (thrown instanceof SandboxError) return thrown
    return new SandboxError('internal', describeThrown(thrown), { cause: thrown })
  }
}

/**
 * Misuse: a wrong type, an unknown option key, a timeout that is not a finite number above 0. Names the field.
 *
 * @example
 * ```ts
 * import { SandboxExecutor, SandboxUsageError } from 'sandbox-slots'
 * try {
 *   new SandboxExecutor({ timeoutMs: -1 })
 * } catch (error) {
 *   console.log(error instanceof SandboxUsageError && error.field) // timeoutMs
 * }
 * ```
 */
export class SandboxUsageError extends SandboxError {
  override name = 'SandboxUsageError'

  constructor(
    /** The path of the field at fault, as in `retry.attempts`. */
    readonly field: string,
    message: string,
  ) {
    super('usage', message)
  }
}

/**
 * A slot was asked for what its state does not allow. Names slot and state.
 *
 * @example
 * ```ts
 * import { SandboxExecutor, SlotStateError } from 'sandbox-slots'
 * await using executor = new SandboxExecutor()
 * const slot = executor.slot({ slotId: 'slot_0', containerAddr: 'http://127.0.0.1:8080' })
 * slot.acquire('trajectory-1')
 * try {
 *   slot.acquire('trajectory-2')
 * } catch (error) {
 *   console.log(error instanceof SlotStateError && error.state) // acquired
 * }
 * ```
 */
export class SlotStateError extends SandboxError {
  override name = 'SlotStateError'

  constructor(
    readonly slotId: string,
    readonly state: string,
    action: string,
  ) {
    super('slot-state', `Cannot ${action} slot ${slotId}: it is ${state}`)
  }
}

/** Whether `value` was thrown by this module. */
export function isSandboxError(value: unknown): value is SandboxError {
  return value instanceof SandboxError
}

/** The message of anything that can be thrown. */
export function describeThrown(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
