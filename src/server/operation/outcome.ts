/** What a tool's result says of its call. Pure. */
import type { ToolResult } from '../tools/tool.ts'
import type { CallOutcome } from './events.ts'

export function outcomeOf({ success, code, metadata }: ToolResult): CallOutcome {
  if (code === 'interrupted') return 'interrupted'
  if (code !== undefined) return 'not-run'
  if (metadata.timeout === true) return 'timed-out'
  if (metadata.cancelled === true) return 'cancelled'
  return success ? 'succeeded' : 'failed'
}

export function outputBytesOf({ output, metadata }: ToolResult): number {
  const { stdout_bytes: stdout, stderr_bytes: stderr } = metadata
  if (typeof stdout === 'number' && typeof stderr === 'number') return stdout + stderr
  return Buffer.byteLength(output)
}
