/** Floor 3: how many containers there should be more, or fewer. Pure. Browser compatible. */
import type { CheckedScaling } from './pool-options.ts'
import type { PooledContainer } from './pooled-container.ts'
import type { Waiters } from './waiters.ts'

/** What the decision is made of. Times are milliseconds. */
export interface ScaleView {
  readonly now: number
  readonly waiters: number
  readonly longestWaitMs: number
  /** Containers that are listed and do not leave, dead ones too. */
  readonly present: number
  /** What one of them has; undefined while none is known. */
  readonly slotsPerContainer: number | undefined
  /** The container that the cluster takes away first when there shall be fewer. */
  readonly last: PooledContainer | undefined
  /** Since when that one is idle; undefined while it is not, or may not leave. */
  readonly lastIdleSince: number | undefined
}

/** What is seen of a pool. */
export function viewOf(
  containers: readonly PooledContainer[],
  { size, longestMs }: Pick<Waiters, 'size' | 'longestMs'>,
  now: number,
): ScaleView {
  const staying = containers.filter(({ listing, isRetired }) => listing === 'listed' && !isRetired)
  const ready = staying.filter(({ slots }) => slots.length > 0)
  const slots = ready.reduce((sum, each) => sum + each.slots.length, 0)
  const last = leavesFirst(staying)
  return {
    now,
    waiters: size,
    longestWaitMs: longestMs,
    present: staying.length,
    slotsPerContainer: ready.length === 0 ? undefined : Math.round(slots / ready.length),
    last,
    lastIdleSince: last?.idleSince,
  }
}

/** How many there should be more, or fewer; 0 for no change. Never more than `max`, never fewer than `min`. */
export function scaleStep(view: ScaleView, options: CheckedScaling, current: number): number {
  if (current < options.min) return options.min - current
  if (view.waiters > 0 && view.longestWaitMs >= options.waitMs) {
    // Those that were asked for and are not there yet will serve somebody too.
    const coming = Math.max(0, current - view.present)
    const wanted = Math.ceil(view.waiters / (view.slotsPerContainer ?? view.waiters)) - coming
    return Math.max(0, Math.min(wanted, options.max - current))
  }
  const isIdle = view.lastIdleSince !== undefined && view.now - view.lastIdleSince >= options.idleMs
  return view.waiters === 0 && isIdle && current > options.min ? -1 : 0
}

/** The one with the highest index. */
function leavesFirst(containers: readonly PooledContainer[]): PooledContainer | undefined {
  let last: PooledContainer | undefined
  for (const container of containers) {
    if (container.index !== undefined && container.index > (last?.index ?? -1)) last = container
  }
  return last
}
