/** Floor 3: many agents, many slots, containers that come and go. Browser compatible. */
import { type ActorRefFrom, createActor } from 'xstate'
import { withLearnedEdges } from '../../actors/learned-edges.ts'
import { poolMachine } from '../../actors/pool.machine.ts'
import type { ByTool } from '../batch-items.ts'
import { guarded } from '../guarded.ts'
import { type ExecutorInternals, internalsOf } from '../internals.ts'
import type { CallOptions, ExecuteOptions } from '../options.ts'
import type { ExecutionResult } from '../results.ts'
import type { SandboxExecutor } from '../sandbox-executor.ts'
import type { ArgsOf } from '../slot.ts'
import { Health } from './health.ts'
import type { Lease, ReleaseOptions } from './lease.ts'
import { checkedLease, executeLeased, type LeaseTuple } from './lease-batch.ts'
import { LeaseBook } from './lease-book.ts'
import { LeaseDesk, type LeaseRequest } from './lease-desk.ts'
import type { PoolEvent } from './pool-events.ts'
import * as options from './pool-options.ts'
import { type PoolState, type PoolStats, poolStats } from './pool-stats.ts'
import type { PooledContainer } from './pooled-container.ts'
import { Roster } from './roster.ts'
import { Scaler } from './scaler.ts'
import { Trajectories } from './trajectories.ts'
import { Waiters } from './waiters.ts'
import { watchDiscovery } from './watch-discovery.ts'

/**
 * Leases slots of many containers: first come first served, from the container with the most free slots.
 *
 * @example
 * ```ts
 * import { SlotPool, staticDiscovery } from 'sandbox-slots'
 * await using pool = await SlotPool.start({ discovery: staticDiscovery([CONTAINER]) })
 * const result = await pool.run('trajectory-1', 'bash', { command: 'echo hi' })
 * console.log(result.output) // hi
 * await pool.end('trajectory-1')
 * ```
 */
export class SlotPool implements AsyncDisposable {
  readonly #options: options.CheckedPoolOptions
  readonly #executor: SandboxExecutor
  readonly #ownsExecutor: boolean
  readonly #internals: ExecutorInternals
  readonly #actor: ActorRefFrom<typeof poolMachine>
  readonly #roster: Roster
  readonly #health: Health
  readonly #waiters: Waiters
  readonly #trajectories: Trajectories
  readonly #scaler: Scaler | undefined
  readonly #watching = new AbortController()
  readonly #leases: LeaseBook
  readonly #desk: LeaseDesk
  readonly #firstLooks: Promise<void>[] = []
  readonly #emit: ((event: PoolEvent) => void) | undefined
  #stopping: Promise<void> | undefined

  private constructor(checked: options.CheckedPoolOptions) {
    const { executor, isOwn } = options.executorOf(checked.executor)
    this.#options = checked
    this.#executor = executor
    this.#ownsExecutor = isOwn
    this.#internals = internalsOf(executor)
    const { core } = this.#internals
    const emit = this.#teller(core.inspect !== undefined)
    this.#emit = emit
    this.#waiters = new Waiters(core.clock, emit, () => this.#roster.containers)
    this.#trajectories = new Trajectories({
      clock: core.clock,
      waitMs: core.queueTimeoutMs ?? checked.acquireTimeoutMs,
      refusal: (failure, since) => this.#waiters.refusal(failure, since, 1),
      acquire: (trajectoryId, signal) => this.#acquire({ trajectoryId, timeoutMs: Infinity, signal }),
    })
    this.#actor = createActor(withLearnedEdges(this.#wired()), core.actorOptions('pool'))
    this.#health = new Health({
      core,
      everyMs: checked.healthCheckMs,
      roster: () => this.#roster,
      due: ({ addr }) => this.#actor.send({ type: 'health.due', container: addr }),
      signal: this.#watching.signal,
    })
    this.#roster = new Roster({
      executor,
      internals: this.#internals,
      slotsPerContainer: checked.slotsPerContainer,
      emit,
      onFreed: () => this.#actor.send({ type: 'slots.freed' }),
      onJoined: (container) => this.#joined(container),
      onGone: (addr) => isOwn && this.#internals.slots.forget(addr),
      onLinkDown: (container) => this.#health.linkDown(container),
      onLeaseLost: (lease, reason) => this.#leases.lose(lease, reason),
    })
    const { clock } = core
    const [roster, waiters] = [this.#roster, this.#waiters]
    this.#leases = new LeaseBook({ execute: this.#internals.execute, core, roster, emit })
    this.#desk = new LeaseDesk({ clock, roster, leases: this.#leases, waiters, emit })
    this.#scaler = Scaler.of(checked, { core, waiters, roster, emit })
    this.#actor.start()
  }

  /**
   * Resolves when the containers are known and each has been looked at once, whether it answered or not.
   *
   * @throws {SandboxUsageError} for options that are unknown or of the wrong type; {@link PoolStartError} when no list
   * of containers is to be had
   */
  static async start(given: options.SlotPoolOptions): Promise<SlotPool> {
    const pool = new SlotPool(options.checkedPoolOptions(given))
    try {
      await pool.#watch()
      await Promise.all(pool.#firstLooks)
    } catch (thrown) {
      await pool.stop({ graceMs: 0 })
      throw thrown
    }
    pool.#scaler?.start()
    pool.#actor.send({ type: 'ready' })
    return pool
  }

  /**
   * Leases a slot, first come first served.
   *
   * @throws {AcquireError} (as a rejection) when none is free in time, the signal fires, or the pool stops
   */
  async acquire(given: options.AcquireOptions = {}): Promise<Lease> {
    const {
      trajectoryId,
      timeoutMs = this.#options.acquireTimeoutMs,
      signal,
    } = options.checkedAcquireOptions(given)
    return this.#acquire({ trajectoryId: trajectoryId ?? null, timeoutMs, signal })
  }

  /** Runs one tool call in a lease: as `lease.execute`. */
  async execute<T extends string>(
    lease: Lease,
    tool: T,
    args: ArgsOf<T>,
    given: ExecuteOptions = {},
  ): Promise<ExecutionResult> {
    return checkedLease(lease).execute(tool, args, given)
  }

  /** Runs calls of several leases side by side, one POST per container: as `executor.executeBatch`. */
  async executeBatch<const Items extends readonly LeaseTuple[]>(
    items: Items & ByTool<Items>,
    given: CallOptions = {},
  ): Promise<ExecutionResult[]> {
    return executeLeased(this.#executor, items, given)
  }

  /**
   * Runs a call of a trajectory. The trajectory gets its slot with its first call and keeps it until `end`; its calls
   * run in order. Without a slot in time the call is `not-run`. When its container is lost, so is its workspace: its
   * calls are `not-run`, `container-lost`, until `end`.
   */
  async run<T extends string>(
    trajectoryId: string,
    tool: T,
    args: ArgsOf<T>,
    given: ExecuteOptions = {},
  ): Promise<ExecutionResult> {
    return this.#trajectories.run(options.checkedTrajectoryId(trajectoryId), tool, args, given)
  }

  /** Ends a trajectory and releases its slot, emptied unless `reset: false` is said. */
  async end(trajectoryId: string, given: ReleaseOptions = {}): Promise<void> {
    await this.#trajectories.end(options.checkedTrajectoryId(trajectoryId), given)
  }

  /** The pool in numbers. */
  stats(): PoolStats {
    const { waits, size } = this.#leases
    return poolStats(this.#state, this.#roster.containers, this.#waiters, waits, size)
  }

  /**
   * Refuses who waits, gives what runs `graceMs` (2,000), and ends all leases. With the pool's own executor that is
   * closed; one that was given stays open, and its leases have the time to be released. Stopping twice is stopping once.
   */
  async stop(given: { readonly graceMs?: number } = {}): Promise<void> {
    const { graceMs } = options.checkedStopOptions(given)
    this.#stopping ??= this.#stop(graceMs)
    await this.#stopping
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #wired() {
    return poolMachine.provide({
      actions: {
        serve: () => this.#desk.serve(),
        checkHealth: ({ event }) => this.#look(event.type === 'health.due' ? event.container : ''),
        refuseWaiters: () => this.#waiters.refuseAll('stopped'),
        stopWatching: () => this.#watching.abort(),
      },
    })
  }

  get #state(): PoolState {
    return this.#actor.getSnapshot().value
  }

  /** Tells `onEvent`, and the chart as well while somebody inspects it; undefined when nobody listens. */
  #teller(isInspected: boolean): ((event: PoolEvent) => void) | undefined {
    const told = guarded(this.#options.onEvent)
    if (!isInspected) return told
    return (event) => {
      if (this.#state !== 'stopped') this.#actor.send({ type: 'told', told: event })
      told?.(event)
    }
  }

  #watch(): Promise<void> {
    return watchDiscovery(this.#options.discovery, {
      clock: this.#internals.core.clock,
      signal: this.#watching.signal,
      onChange: (containers) => this.#roster.update(containers),
      onTrouble: (message) => this.#emit?.({ type: 'discovery.failed', message }),
    })
  }

  #joined(container: PooledContainer): void {
    const look = this.#health.look(container)
    if (this.#state === 'starting') this.#firstLooks.push(look)
  }

  #look(addr: string): void {
    const container = this.#roster.containers.find((each) => each.addr === addr)
    if (container !== undefined) void this.#health.look(container)
  }

  async #acquire(request: LeaseRequest): Promise<Lease> {
    if (this.#state !== 'running') throw this.#waiters.refusal('stopped', this.#internals.core.clock.now())
    return this.#desk.acquire(request)
  }

  async #stop(graceMs: number): Promise<void> {
    this.#actor.send({ type: 'stop' })
    this.#scaler?.stop()
    for (const { timer } of this.#roster.containers) this.#internals.core.clock.clearTimeout(timer)
    if (this.#ownsExecutor) await this.#executor.close({ graceMs })
    else await this.#leases.untilEmpty(graceMs)
    this.#leases.loseAll('the pool has stopped')
    this.#actor.send({ type: 'drained' })
    this.#actor.stop()
  }
}
