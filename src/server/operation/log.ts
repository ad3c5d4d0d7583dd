/** Log entries: what an operator reads. Never a token, a command, its output or its environment. */
import type { LogFields, ServerEvent, ToldCall } from './events.ts'

/** How much an entry matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/**
 * One entry of the server's log.
 *
 * @example
 * ```ts
 * import { type LogEntry, startSandboxServer } from 'sandbox-slots/server'
 * const onLog = ({ level, event }: LogEntry) => console.log(level, event)
 * const server = await startSandboxServer({ slots: 1, onLog }) // prints: info server.started
 * await server.stop()
 * ```
 */
export interface LogEntry {
  /** As `2026-01-31T12:00:00.000Z`. */
  readonly time: string
  readonly level: LogLevel
  /** What happened, as `server.started` or `call.finished`. */
  readonly event: string
  /** Its details; those in milliseconds end in `_ms`. */
  readonly fields: LogFields
}

/** The entry of an event; `null` for what is only counted. */
export function logEntry(event: ServerEvent, now: Date): LogEntry | null {
  const entry = (level: LogLevel, fields: LogFields, name: string = event.type): LogEntry => ({
    time: now.toISOString(),
    level,
    event: name,
    fields,
  })
  switch (event.type) {
    case 'server.started':
      return entry('info', event.fields)
    case 'server.stopping':
      return entry('info', { drain_timeout_ms: event.drainTimeoutMs, executing: event.executing })
    case 'server.stopped':
      return entry('info', {})
    case 'crash.swept':
      return entry('warn', { directory: event.directory, pid: event.pid, killed: event.killed })
    case 'call.started':
      return entry('debug', calledBy(event))
    case 'call.finished':
      return entry('debug', {
        ...calledBy(event),
        outcome: event.outcome,
        queued_ms: rounded(event.queuedMs),
        duration_ms: rounded(event.durationMs),
        output_bytes: event.outputBytes,
      })
    case 'sandbox.ended':
      return event.how === 'failed' ? entry('error', { reason: cut(event.reason) }, 'sandbox.failed') : null
    case 'request.answered': {
      const { method, route, status } = event
      return status < 400 ? null : entry('warn', { method, route, status }, 'request.refused')
    }
    case 'sandbox.started':
      return null
  }
}

function calledBy({ slotId, tool, executionId }: ToldCall): LogFields {
  return {
    slot: cut(slotId),
    tool: cut(tool),
    execution_id: executionId === null ? null : cut(executionId),
  }
}

/** Clients may send a megabyte as a name. */
function cut(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000
}
