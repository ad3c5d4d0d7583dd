/** Floor 3: what a pool tells its `onEvent`. Browser compatible. */
import type { AcquireFailure } from './acquire-error.ts'

/** One thing that happened in a pool, as a plain object: for logs and metrics. Times are milliseconds. */
export type PoolEvent =
  | {
      readonly type: 'lease.acquired'
      readonly container: string
      readonly slotId: string
      readonly generation: number
      readonly trajectoryId: string | null
      readonly waitedMs: number
      /** How many wait now. */
      readonly waiters: number
    }
  | {
      readonly type: 'lease.released'
      readonly container: string
      readonly slotId: string
      readonly generation: number
      readonly reset: boolean
    }
  | {
      readonly type: 'lease.lost'
      readonly container: string
      readonly slotId: string
      readonly generation: number
      readonly reason: string
    }
  | { readonly type: 'slot.quarantined'; readonly container: string; readonly slotId: string }
  | {
      readonly type: 'container.changed'
      readonly container: string
      readonly from: ContainerState
      readonly to: ContainerState
      readonly slots: number
      readonly reason: string
    }
  /** It is not among the pool's any more. */
  | { readonly type: 'container.left'; readonly container: string }
  | { readonly type: 'acquire.waiting'; readonly trajectoryId: string | null; readonly waiters: number }
  /** One who waited got no slot. */
  | {
      readonly type: 'acquire.refused'
      readonly trajectoryId: string | null
      readonly failure: AcquireFailure
      readonly waitedMs: number
      readonly waiters: number
    }
  | { readonly type: 'discovery.failed'; readonly message: string }
  | { readonly type: 'scale.requested'; readonly from: number; readonly to: number; readonly reason: string }
  | { readonly type: 'scale.failed'; readonly to: number; readonly message: string }

/**
 * A container as the pool sees it. `joining`: not heard of yet; `healthy`: hands out slots; `suspect`: one look at its
 * health failed, nothing new is handed out; `draining`: it is about to leave; `lost`: dead, until it answers again.
 */
export type ContainerState = 'joining' | 'healthy' | 'suspect' | 'draining' | 'lost'
