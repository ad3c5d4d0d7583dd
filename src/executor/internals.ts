/** Floor 3: what the pool needs of an executor, kept out of its public face. Browser compatible. */
import { SandboxUsageError } from '../errors.ts'
import type { Core } from './core.ts'
import type { ExecuteOptions } from './options.ts'
import type { ExecutionResult } from './results.ts'
import type { Slot } from './slot.ts'
import type { SlotTable } from './slot-table.ts'

/** The inside of an executor. */
export interface ExecutorInternals {
  readonly core: Core
  readonly slots: SlotTable
  readonly timeoutMs: number
  /** As `execute`, for a caller who waits since `queuedAt`. */
  readonly execute: (
    slot: Slot,
    tool: string,
    args: object,
    options: ExecuteOptions,
    queuedAt: number | undefined,
  ) => Promise<ExecutionResult>
}

const internals = new WeakMap<object, ExecutorInternals>()

export function revealInternals(executor: object, inside: ExecutorInternals): void {
  internals.set(executor, inside)
}

export function internalsOf(executor: object): ExecutorInternals {
  const inside = internals.get(executor)
  if (inside === undefined) throw new SandboxUsageError('executor', 'executor must be a SandboxExecutor')
  return inside
}
