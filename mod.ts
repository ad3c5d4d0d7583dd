/**
 * sandbox-slots: tool calls of AI agents in isolated slots.
 *
 * @module
 */
export type { Inspect, LinkState, SlotState } from './src/actors/states.ts'
export { type EnsuredJob, type EnsureJobOptions, ensureJob } from './src/discovery/ensure-job.ts'
export { JobStartError } from './src/discovery/job-start-error.ts'
export type { NomadAccess } from './src/discovery/nomad-client.ts'
export {
  type NomadDiscovery,
  type NomadDiscoveryOptions,
  nomadDiscovery,
} from './src/discovery/nomad-discovery.ts'
export { NomadError } from './src/discovery/nomad-error.ts'
export type { SandboxJob } from './src/discovery/nomad-job.ts'
export {
  type ContainersFunction,
  type StaticContainer,
  type StaticDiscovery,
  type StaticDiscoveryOptions,
  staticDiscovery,
} from './src/discovery/static-discovery.ts'
export {
  type FailureCode,
  isSandboxError,
  SandboxError,
  type SandboxErrorCode,
  SandboxUsageError,
  SlotStateError,
} from './src/errors.ts'
export {
  type ArchiveArtifactsResult,
  type ArtifactEntry,
  type ArtifactOutcome,
  artifactBytes,
  type ListArtifactsResult,
  type ReadArtifactResult,
} from './src/executor/artifact-results.ts'
export type {
  ArchiveArtifactsOptions,
  ListArtifactsOptions,
  ReadArtifactOptions,
} from './src/executor/artifacts.ts'
export type { BashOptions } from './src/executor/bash-call.ts'
export type { BatchItem, ExecutionRequest, ExecutionTuple } from './src/executor/batch-items.ts'
export { formatEvent, type SandboxEvent } from './src/executor/events.ts'
export type { DownloadResult, UploadData, UploadResult } from './src/executor/files.ts'
export type { OutputListener } from './src/executor/live-output.ts'
export type { CallOptions, ExecuteOptions, SandboxExecutorOptions } from './src/executor/options.ts'
export { AcquireError, type AcquireFailure, PoolStartError } from './src/executor/pool/acquire-error.ts'
export { type Lease, LeaseLostError, type ReleaseOptions } from './src/executor/pool/lease.ts'
export type { LeaseTuple } from './src/executor/pool/lease-batch.ts'
export type { ContainerState, PoolEvent } from './src/executor/pool/pool-events.ts'
export type { AcquireOptions, ScalingOptions, SlotPoolOptions } from './src/executor/pool/pool-options.ts'
export type { ContainerStats, PoolState, PoolStats, SlotCounts } from './src/executor/pool/pool-stats.ts'
export { SlotPool } from './src/executor/pool/slot-pool.ts'
export {
  type ExecutionResult,
  type Failure,
  type Outcome,
  type Timing,
  type ToolResult,
  toToolResult,
} from './src/executor/results.ts'
export { SandboxExecutor } from './src/executor/sandbox-executor.ts'
export type { ArgsOf, Slot, SlotArtifacts, SlotInit, SlotJSON } from './src/executor/slot.ts'
export type {
  CaptureOptions,
  SendKeysOptions,
  SlotTerminal,
  StartTerminalOptions,
} from './src/executor/terminal.ts'
export type {
  DiscoveredContainer,
  Discovery,
  DiscoveryListeners,
  DiscoveryScaling,
  DiscoveryTrouble,
} from './src/ports/discovery.ts'
export type {
  Exchange,
  StreamBody,
  Streamed,
  StreamRequest,
  Transport,
  TransportRequest,
} from './src/ports/transport.ts'
export type { ContainerStatus } from './src/protocol/health.ts'
export type {
  BashArgs,
  BashStatefulArgs,
  KnownTool,
  ReadFileArgs,
  TmuxArgs,
  ToolArgs,
  WriteFileArgs,
} from './src/protocol/tools.ts'
export { createHttpTransport, type Fetch, type HttpTransportOptions } from './src/transport/http-transport.ts'
export { createMemoryTransport } from './src/transport/memory-transport.ts'
