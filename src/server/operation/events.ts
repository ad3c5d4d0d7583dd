/** What happens in the server, told once: to its metrics, to its log, to tests. */

/** A call as it is told: never its arguments, output or environment. */
export interface ToldCall {
  /** As the client wrote it: it need not exist. */
  readonly slotId: string
  readonly tool: string
  readonly executionId: string | null
}

/**
 * How a call ended, as the server sees it. `succeeded`, `failed`: by itself; `timed-out`, `cancelled`; `interrupted`: it
 * ran, and the server or its sandbox ended it; `not-run`: nothing of it ran.
 */
export type CallOutcome = 'succeeded' | 'failed' | 'timed-out' | 'cancelled' | 'interrupted' | 'not-run'

export type ServerEvent =
  | { readonly type: 'server.started'; readonly fields: LogFields }
  | { readonly type: 'server.stopping'; readonly drainTimeoutMs: number; readonly executing: number }
  | { readonly type: 'server.stopped' }
  | {
      readonly type: 'crash.swept'
      readonly directory: string
      readonly pid: number
      readonly killed: number
    }
  | ({ readonly type: 'call.started' } & ToldCall)
  | ({ readonly type: 'call.finished' } & ToldCall & FinishedCall)
  | { readonly type: 'sandbox.started' }
  /** `used`: it ran its command; `unused`: thrown away before it got one; `failed`: it did not start. */
  | { readonly type: 'sandbox.ended'; readonly how: 'used' | 'unused' }
  | { readonly type: 'sandbox.ended'; readonly how: 'failed'; readonly reason: string }
  | {
      readonly type: 'request.answered'
      readonly method: string
      readonly route: string
      readonly status: number
    }

export interface FinishedCall {
  readonly outcome: CallOutcome
  /** In line for the slot. */
  readonly queuedMs: number
  /** In the slot. */
  readonly durationMs: number
  /** What the tool printed or read, whole, also where the answer was cut. */
  readonly outputBytes: number
}

export type Tell = (event: ServerEvent) => void

/** What a log line carries beside its time, level and event. */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>
