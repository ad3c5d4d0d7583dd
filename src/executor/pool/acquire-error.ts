/** Floor 3: why no slot was to be had. Browser compatible. */
import { SandboxError } from '../../errors.ts'

/** No slot in time; the caller gave up; the pool stops. */
export type AcquireFailure = 'timeout' | 'aborted' | 'stopped'

const sentences: Readonly<Record<AcquireFailure, string>> = {
  timeout: 'none was free in time',
  aborted: 'the caller gave up',
  stopped: 'the pool stops',
}

/**
 * `pool.acquire` has no slot to give.
 *
 * @example
 * ```ts
 * import { AcquireError, SlotPool, staticDiscovery } from 'sandbox-slots'
 * await using pool = await SlotPool.start({ discovery: staticDiscovery([CONTAINER]), slotsPerContainer: 1 })
 * await using lease = await pool.acquire()
 * const refused = await pool.acquire({ timeoutMs: 0 }).catch((error) => error)
 * console.log(refused instanceof AcquireError, refused.failure) // true timeout
 * ```
 */
export class AcquireError extends SandboxError {
  override name = 'AcquireError'

  constructor(
    readonly failure: AcquireFailure,
    /** How long the caller had waited, in milliseconds. */
    readonly waitedMs: number,
    /** How many others wait. */
    readonly waiters: number,
    /** What slots the pool has, in words. */
    slots: string,
  ) {
    const others = waiters === 1 ? '1 other waits' : `${waiters} others wait`
    super(
      'acquire',
      `Cannot acquire a slot: ${sentences[failure]} (waited ${Math.round(waitedMs)} ms, ${others}; ${slots})`,
    )
  }
}

/** A pool cannot start: no list of containers is to be had. */
export class PoolStartError extends SandboxError {
  override name = 'PoolStartError'

  constructor(reason: string) {
    super('acquire', `Cannot start the pool: ${reason}`)
  }
}
