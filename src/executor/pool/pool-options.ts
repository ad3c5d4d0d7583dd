/** Floor 3: the options of a pool and of its calls. Browser compatible. */
import * as v from 'valibot'
import type { Discovery } from '../../ports/discovery.ts'
import { abortSignal, checked, count, functionOf, identifier, milliseconds } from '../../usage.ts'
import type { SandboxExecutorOptions } from '../options.ts'
import { SandboxExecutor } from '../sandbox-executor.ts'
import type { PoolEvent } from './pool-events.ts'

/** When a pool asks for more containers, or for fewer. Times are milliseconds. */
export interface ScalingOptions {
  /** Containers at least. Default 1. */
  readonly min?: number
  /** Containers at most. */
  readonly max: number
  /** Grow when somebody has waited this long. Default 5,000. */
  readonly waitMs?: number
  /** Between two changes. Default 30,000. */
  readonly cooldownMs?: number
  /** Shrink by a container that had no lease for this long. Default 300,000. */
  readonly idleMs?: number
}

/** Options of `SlotPool.start`. Times are milliseconds. */
export interface SlotPoolOptions {
  /** Where containers come from. */
  readonly discovery: Discovery
  /** Slots that are used of each container, at most as many as its `/health` says it has. Default: all of them. */
  readonly slotsPerContainer?: number
  /** Between two looks at a container's health, ±25 %. Default 30,000. */
  readonly healthCheckMs?: number
  /** How long `acquire` waits; 0 does not wait. Default 60,000. */
  readonly acquireTimeoutMs?: number
  /** Needs a discovery that can scale. Default: none. */
  readonly scaling?: ScalingOptions
  /** An executor, which stays yours, or the options of the pool's own. */
  readonly executor?: SandboxExecutor | SandboxExecutorOptions
  /** Receives a plain object for everything that happens. */
  readonly onEvent?: (event: PoolEvent) => void
}

/** Options of `pool.acquire`. */
export interface AcquireOptions {
  /** Whose the slot will be; a trajectory that has a lease gets that one. */
  readonly trajectoryId?: string
  /** Default: the pool's `acquireTimeoutMs`. 0 does not wait. */
  readonly timeoutMs?: number
  /** Gives up waiting. */
  readonly signal?: AbortSignal
}

const wait = v.pipe(
  v.number('it must be a number of milliseconds'),
  v.check((input) => input >= 0, 'it must not be negative'),
)

const poolOptions = v.strictObject({
  discovery: v.custom<Discovery>(isDiscovery, 'it must have a watch method'),
  slotsPerContainer: v.optional(count),
  healthCheckMs: v.optional(milliseconds, 30_000),
  acquireTimeoutMs: v.optional(wait, 60_000),
  scaling: v.optional(
    v.strictObject({
      min: v.optional(count, 1),
      max: count,
      waitMs: v.optional(milliseconds, 5_000),
      cooldownMs: v.optional(milliseconds, 30_000),
      idleMs: v.optional(milliseconds, 300_000),
    }),
  ),
  executor: v.optional(
    v.custom<SandboxExecutor | SandboxExecutorOptions>(
      (input) => typeof input === 'object' && input !== null,
      'it must be a SandboxExecutor, or the options of one',
    ),
  ),
  onEvent: v.optional(functionOf<(event: PoolEvent) => void>()),
})

const acquireOptions = v.strictObject({
  trajectoryId: v.optional(identifier),
  timeoutMs: v.optional(wait),
  signal: v.optional(abortSignal),
})

const stopOptions = v.strictObject({ graceMs: v.optional(wait, 2_000) })

/** The options of a pool, complete. */
export type CheckedPoolOptions = v.InferOutput<typeof poolOptions>

/** Scaling options, complete. */
export type CheckedScaling = NonNullable<CheckedPoolOptions['scaling']>

export function checkedPoolOptions(options: unknown): CheckedPoolOptions {
  return checked(poolOptions, options, 'SlotPool options')
}

export function checkedAcquireOptions(options: unknown): v.InferOutput<typeof acquireOptions> {
  return checked(acquireOptions, options, 'acquire options')
}

export function checkedStopOptions(options: unknown): v.InferOutput<typeof stopOptions> {
  return checked(stopOptions, options, 'stop options')
}

export function checkedTrajectoryId(trajectoryId: unknown): string {
  return checked(v.object({ trajectoryId: identifier }), { trajectoryId }, 'a pool call').trajectoryId
}

/** The executor of the pool, and whether it ends with it. */
export function executorOf(given: CheckedPoolOptions['executor']): {
  executor: SandboxExecutor
  isOwn: boolean
} {
  if (given instanceof SandboxExecutor) return { executor: given, isOwn: false }
  return { executor: new SandboxExecutor(given), isOwn: true }
}

function isDiscovery(input: unknown): boolean {
  return typeof input === 'object' && input !== null && 'watch' in input && typeof input.watch === 'function'
}
