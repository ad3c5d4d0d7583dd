/**
 * `sandbox-slots/server`: the embedded sandbox server. Runs on Bun; bubblewrap isolates its tool calls.
 *
 * @module
 */
export type { LogEntry, LogLevel } from './operation/log.ts'
export type { SandboxLimits, SandboxServerOptions, StopOptions } from './options.ts'
export { type SandboxServer, startSandboxServer } from './start-server.ts'
