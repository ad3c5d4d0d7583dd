/** Floor 3: what `onEvent` receives. Browser compatible. */
import type { LinkState, SlotState } from '../actors/states.ts'
import type { FailureCode } from '../errors.ts'
import type { PoolEvent } from './pool/pool-events.ts'
import type { Outcome } from './results.ts'

/** One thing that happened, as a plain object: for logs and metrics. Times are milliseconds. */
export type SandboxEvent =
  | {
      readonly type: 'call.queued'
      readonly executionId: string
      readonly slotId: string
      readonly container: string
      readonly tool: string
    }
  | {
      readonly type: 'call.posted'
      readonly executionId: string
      readonly postId: number
      readonly attempt: number
    }
  | {
      readonly type: 'call.settled'
      readonly executionId: string
      readonly slotId: string
      readonly container: string
      readonly outcome: Outcome
      readonly success: boolean
      readonly totalMs: number
      readonly code?: FailureCode
    }
  | {
      readonly type: 'post.started'
      readonly postId: number
      readonly container: string
      readonly route: string
      readonly calls: number
      readonly bytes: number
    }
  | {
      readonly type: 'post.failed'
      readonly postId: number
      readonly container: string
      readonly calls: number
      readonly message: string
    }
  | {
      readonly type: 'retry.scheduled'
      readonly container: string
      readonly calls: number
      readonly pauseMs: number
      readonly reason: string
    }
  | {
      readonly type: 'link.changed'
      readonly container: string
      readonly from: LinkState
      readonly to: LinkState
    }
  | {
      readonly type: 'slot.changed'
      readonly container: string
      readonly slotId: string
      readonly from: SlotState
      readonly to: SlotState
    }

/**
 * One line of text for an event of an executor or a pool: `call.settled executionId=… outcome=exited …`.
 *
 * @example
 * ```ts
 * import { formatEvent, SandboxExecutor } from 'sandbox-slots'
 * await using executor = new SandboxExecutor({ onEvent: (event) => console.error(formatEvent(event)) })
 * ```
 */
export function formatEvent(event: SandboxEvent | PoolEvent): string {
  const fields = Object.entries(event).filter(([key]) => key !== 'type')
  return [event.type, ...fields.map(([key, value]) => `${key}=${shown(value)}`)].join(' ')
}

function shown(value: unknown): string {
  if (typeof value === 'number') return String(Math.round(value * 10) / 10)
  const text = String(value)
  return /[\s"]/.test(text) ? JSON.stringify(text) : text
}
