/** Floor 3: those who wait for a slot, first come first served. Coming and being served are O(1). */
import type { Clock } from '../../ports/clock.ts'
import { AbortWatch } from '../abort-watch.ts'
import { Deadlines, type Expiring } from '../deadlines.ts'
import { AcquireError, type AcquireFailure } from './acquire-error.ts'
import type { Lease } from './lease.ts'
import { Line } from './line.ts'
import type { PoolEvent } from './pool-events.ts'
import type { PooledContainer } from './pooled-container.ts'
import { slotsInWords } from './slots-in-words.ts'

/** One who waits for a slot. */
export class Waiter implements Expiring<Waiter> {
  bucket: Expiring<Waiter>['bucket']
  place = 0
  readonly #lease = Promise.withResolvers<Lease>()

  constructor(
    readonly trajectoryId: string | null,
    readonly signal: AbortSignal | undefined,
    readonly since: number,
  ) {}

  get lease(): Promise<Lease> {
    return this.#lease.promise
  }

  serve(lease: Lease): void {
    this.#lease.resolve(lease)
  }

  refuse(error: AcquireError): void {
    this.#lease.reject(error)
  }
}

/** The queue. */
export class Waiters {
  readonly #queue = new Line<Waiter>()
  readonly #byTrajectory = new Map<string, Set<Waiter>>()
  readonly #clock: Clock
  readonly #emit: ((event: PoolEvent) => void) | undefined
  readonly #deadlines: Deadlines<Waiter>
  readonly #aborts = new AbortWatch<Waiter>((waiter) => this.#refuse(waiter, 'aborted'))

  readonly #containers: () => readonly PooledContainer[]

  constructor(
    clock: Clock,
    emit: ((event: PoolEvent) => void) | undefined,
    containers: () => readonly PooledContainer[],
  ) {
    this.#clock = clock
    this.#emit = emit
    this.#containers = containers
    this.#deadlines = new Deadlines(clock, (waiter) => this.#refuse(waiter, 'timeout'))
  }

  get size(): number {
    return this.#queue.size
  }

  /** How long the first one has waited, in milliseconds. */
  get longestMs(): number {
    const { first } = this.#queue
    return first === undefined ? 0 : this.#clock.now() - first.since
  }

  /** Lets one wait for at most `timeoutMs`. */
  add(waiter: Waiter, timeoutMs: number): void {
    this.#queue.add(waiter)
    if (waiter.trajectoryId !== null) this.#ofTrajectory(waiter.trajectoryId).add(waiter)
    if (Number.isFinite(timeoutMs)) this.#deadlines.watch(waiter, waiter.since + timeoutMs)
    if (waiter.signal !== undefined) this.#aborts.watch(waiter.signal, waiter)
  }

  /** Takes the first one out. */
  shift(): Waiter | undefined {
    const { first } = this.#queue
    if (first !== undefined) this.#forget(first)
    return first
  }

  /** Gives a trajectory's lease to all who wait for it. */
  serveOf(trajectoryId: string, lease: Lease): void {
    for (const waiter of this.#byTrajectory.get(trajectoryId) ?? []) {
      this.#forget(waiter)
      waiter.serve(lease)
    }
  }

  /** Why one who came at `since`, and is `own` of those who wait, gets no slot. */
  refusal(failure: AcquireFailure, since: number, own = 0): AcquireError {
    const others = Math.max(0, this.#queue.size - own)
    return new AcquireError(failure, this.#clock.now() - since, others, slotsInWords(this.#containers()))
  }

  refuseAll(failure: AcquireFailure): void {
    for (const waiter of this.#queue) this.#refuse(waiter, failure)
  }

  #refuse(waiter: Waiter, failure: AcquireFailure): void {
    this.#forget(waiter)
    const error = this.refusal(failure, waiter.since)
    waiter.refuse(error)
    const { trajectoryId } = waiter
    const { waitedMs, waiters } = error
    this.#emit?.({ type: 'acquire.refused', trajectoryId, failure, waitedMs, waiters })
  }

  #forget(waiter: Waiter): void {
    this.#queue.delete(waiter)
    this.#deadlines.drop(waiter)
    if (waiter.signal !== undefined) this.#aborts.drop(waiter.signal, waiter)
    const { trajectoryId } = waiter
    if (trajectoryId === null) return
    const others = this.#ofTrajectory(trajectoryId)
    others.delete(waiter)
    if (others.size === 0) this.#byTrajectory.delete(trajectoryId)
  }

  #ofTrajectory(trajectoryId: string): Set<Waiter> {
    const known = this.#byTrajectory.get(trajectoryId)
    if (known !== undefined) return known
    const waiters = new Set<Waiter>()
    this.#byTrajectory.set(trajectoryId, waiters)
    return waiters
  }
}
