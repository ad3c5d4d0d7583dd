/** Floor 3: a batch over several leases. Browser compatible. */
import { SandboxUsageError } from '../../errors.ts'
import type { KnownTool, ToolArgs } from '../../protocol/tools.ts'
import type { CallOptions } from '../options.ts'
import type { ExecutionResult } from '../results.ts'
import type { SandboxExecutor } from '../sandbox-executor.ts'
import { Lease, lostResult } from './lease.ts'

/** A call of `pool.executeBatch`. */
export type LeaseTuple =
  | { [T in KnownTool]: readonly [lease: Lease, tool: T, args: ToolArgs[T]] }[KnownTool]
  | readonly [lease: Lease, tool: string, args: object]

/** Refuses what is no lease. */
export function checkedLease(lease: unknown): Lease {
  if (lease instanceof Lease) return lease
  throw new SandboxUsageError('lease', 'Cannot use this lease: it must come from pool.acquire')
}

function leasesIn(items: unknown): Lease[] {
  if (!Array.isArray(items)) {
    throw new SandboxUsageError('items', 'Cannot execute a batch: items must be an array')
  }
  return items.map((item: unknown, index) => {
    if (Array.isArray(item)) return checkedLease(item[0])
    const subject = `item ${index} of executeBatch`
    throw new SandboxUsageError(subject, `Cannot use ${subject}: it must be [lease, tool, args]`)
  })
}

/** Runs what can run; the calls of lost leases have their results in their places. */
export async function executeLeased(
  executor: SandboxExecutor,
  items: readonly LeaseTuple[],
  options: CallOptions,
): Promise<ExecutionResult[]> {
  const slots = leasesIn(items).map((lease) => lease.held())
  const live = items.flatMap(([, tool, args], index) => {
    const slot = slots[index]
    return slot === undefined ? [] : [{ slot, tool, args }]
  })
  const results = (await executor.executeBatch(live, options)).values()
  return items.map(([lease], index) => {
    const next = slots[index] === undefined ? undefined : results.next().value
    return next ?? lostResult(lease)
  })
}
