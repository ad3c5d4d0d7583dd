/** Random steps of a pool's users and of its containers, and what must hold of them. */
import fc from 'fast-check'
import { SimulatedClock } from 'xstate'
import { createMemoryTransport, type Lease, type PoolEvent, SandboxExecutor, SlotPool } from '../../../mod.ts'
import { settled } from '../../support/scripted-container.ts'
import { type Host, hosts, slotsEach, World } from './world.ts'

/** In one run. */
export const stepsEach = 200

type Step =
  | { readonly kind: 'acquire'; readonly patienceMs: number; readonly givesUp: boolean }
  | { readonly kind: 'release'; readonly at: number; readonly reset: boolean }
  | { readonly kind: 'call' | 'reset'; readonly at: number }
  | { readonly kind: 'run' | 'end'; readonly trajectory: string }
  | { readonly kind: 'failResets'; readonly count: number }
  | { readonly kind: 'crash' | 'unlist' | 'startAnew'; readonly host: Host }
  | { readonly kind: 'pass'; readonly ms: number }

const of = <K extends Step['kind']>(kind: K) => fc.constant(kind)
const at = fc.nat({ max: 1_000 })
const host = fc.constantFrom(...hosts)
const trajectory = fc.constantFrom('t', 'u', 'v')
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: of('acquire'),
      patienceMs: fc.constantFrom(500, 20_000, 20_000),
      givesUp: fc.boolean(),
    }),
  },
  { weight: 8, arbitrary: fc.record({ kind: of('release'), at, reset: fc.boolean() }) },
  { weight: 8, arbitrary: fc.record({ kind: of('call'), at }) },
  { weight: 4, arbitrary: fc.record({ kind: of('run'), trajectory }) },
  { weight: 2, arbitrary: fc.record({ kind: of('end'), trajectory }) },
  { weight: 2, arbitrary: fc.record({ kind: of('reset'), at }) },
  { weight: 2, arbitrary: fc.record({ kind: of('failResets'), count: fc.nat({ max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: of('crash'), host }) },
  { weight: 1, arbitrary: fc.record({ kind: of('unlist'), host }) },
  { weight: 1, arbitrary: fc.record({ kind: of('startAnew'), host }) },
  { weight: 4, arbitrary: fc.record({ kind: of('pass'), ms: fc.integer({ min: 100, max: 3_000 }) }) },
)

/** Plays steps, and keeps book of who should own what. */
class Play implements AsyncDisposable {
  readonly world = new World()
  readonly #clock = new SimulatedClock()
  readonly #executor = new SandboxExecutor(
    { transport: createMemoryTransport((request) => this.world.handle(request)), retry: { delayMs: 100 } },
    { clock: this.#clock, random: () => 0.5 },
  )
  readonly #owners = new Map<string, number>()
  readonly #leases: Lease[] = []
  readonly #released = new Set<Lease>()
  readonly #results: Promise<unknown>[] = []
  readonly #givingUp: AbortController[] = []
  #pool: SlotPool | undefined
  #lastServed = 0
  asked = 0
  served = 0
  refused = 0

  get pool(): SlotPool {
    if (this.#pool === undefined) throw new Error('Not started')
    return this.#pool
  }

  async start(): Promise<void> {
    this.#pool = await SlotPool.start({
      discovery: this.world,
      executor: this.#executor,
      healthCheckMs: 1_000,
      acquireTimeoutMs: 20_000,
      onEvent: (event) => this.#watchOwners(event),
    })
  }

  async step(step: Step): Promise<void> {
    const lease =
      'at' in step && this.#leases.length > 0 ? this.#leases[step.at % this.#leases.length] : undefined
    switch (step.kind) {
      case 'acquire':
        this.#acquire(step.patienceMs, step.givesUp)
        break
      case 'release':
        if (lease !== undefined) this.#release(lease, step)
        break
      case 'call':
        if (lease !== undefined) this.#call(lease)
        break
      case 'reset':
        lease?.reset().catch(() => {})
        break
      case 'run':
        this.#results.push(this.pool.run(step.trajectory, 'bash', { command: 'x' }, { timeoutMs: 1_000 }))
        break
      case 'end':
        void this.pool.end(step.trajectory)
        break
      case 'failResets':
        this.world.failingResets = step.count
        break
      case 'crash':
        this.world.crashOrComeBack(step.host)
        break
      case 'unlist':
        this.world.leaveOrJoin(step.host)
        break
      case 'startAnew':
        this.world.startAnew(step.host)
        break
      case 'pass':
        this.#clock.increment(step.ms)
        for (const controller of this.#givingUp.splice(0)) controller.abort()
        break
    }
    await settled()
    this.#count()
  }

  /** Everything is well again, everybody lets go, time passes. */
  async calmDown(): Promise<unknown[]> {
    this.world.allWell()
    for (let turn = 0; turn < 200; turn += 1) {
      for (const lease of this.#leases.splice(0)) void lease.release()
      for (const name of ['t', 'u', 'v']) void this.pool.end(name)
      this.#clock.increment(500)
      await settled()
      this.#count()
    }
    return Promise.all(this.#results)
  }

  /** What is missing when all have let go: waiters without an answer, slots that are not free. */
  debts(): string[] {
    const { waiters, slots } = this.pool.stats()
    const answered = this.served + this.refused
    const total = hosts.length * slotsEach
    return [
      ...(answered === this.asked && waiters === 0 ? [] : [`${answered} of ${this.asked} were answered`]),
      ...(slots.free === total && slots.total === total ? [] : [`Lost slots: ${JSON.stringify(slots)}`]),
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool?.stop({ graceMs: 0 })
    await this.#executor.close({ graceMs: 0 })
  }

  #acquire(timeoutMs: number, givesUp: boolean): void {
    this.asked += 1
    const place = this.asked
    const controller = new AbortController()
    if (givesUp) this.#givingUp.push(controller)
    this.pool.acquire({ timeoutMs, signal: controller.signal }).then(
      (lease) => {
        this.served += 1
        if (place < this.#lastServed)
          this.world.violations.push(`place ${place} was served after place ${this.#lastServed}`)
        this.#lastServed = place
        this.#leases.push(lease)
      },
      () => {
        this.refused += 1
      },
    )
  }

  #release(lease: Lease, { at, reset }: { readonly at: number; readonly reset: boolean }): void {
    if (!reset && !this.#released.has(lease) && !lease.signal.aborted)
      this.world.generous.add(lease.generation)
    this.#released.add(lease)
    void lease.release({ reset })
    // Half of the holders forget that they have released.
    if (at % 2 === 0) this.#leases.splice(this.#leases.indexOf(lease), 1)
  }

  #call(lease: Lease): void {
    const executionId = `${lease.generation}:${crypto.randomUUID()}`
    const call = lease.bash('x', { executionId, timeoutMs: 1_000 })
    this.#results.push(call.catch((reason: { code: string }) => reason.code))
  }

  #watchOwners(event: PoolEvent): void {
    if (!event.type.startsWith('lease.') || !('generation' in event)) return
    const key = `${event.container}/${event.slotId}`
    const owner = this.#owners.get(key)
    if (event.type !== 'lease.acquired') {
      if (owner === event.generation) this.#owners.delete(key)
      return
    }
    if (owner !== undefined)
      this.world.violations.push(`${key}: leased to ${event.generation}, held by ${owner}`)
    this.#owners.set(key, event.generation)
  }

  /** The parts add up, what is leased is owned, and nobody waits beside a free slot. */
  #count(): void {
    const { slots, leases, waiters, containers } = this.pool.stats()
    const sum = slots.free + slots.leased + slots.resetting + slots.faulted
    if (sum !== slots.total) this.world.violations.push(`${JSON.stringify(slots)} does not add up`)
    if (leases !== this.#owners.size)
      this.world.violations.push(`${leases} leases, ${this.#owners.size} owners`)
    const free = containers.filter(({ state, slots }) => state === 'healthy' && slots.free > 0)
    if (waiters > 0 && free.length > 0) this.world.violations.push(`${waiters} wait beside a free slot`)
  }
}

/** What random runs came to. */
export interface ModelReport {
  readonly steps: number
  /** Those who asked for a lease: who got one, and who gave up or waited too long. */
  readonly served: number
  readonly refused: number
  /** What is not as promised, of the smallest run that shows it. */
  readonly violations: readonly string[]
}

/** `shrinks`: whether a run that failed is made smaller, which takes its time. */
export async function playRuns(options: {
  readonly runs: number
  readonly seed: number
  readonly shrinks: boolean
}): Promise<ModelReport> {
  let [played, served, refused] = [0, 0, 0]
  let violations: readonly string[] = []
  const steps = fc.array(step, { minLength: stepsEach, maxLength: stepsEach, size: 'max' })
  const property = fc.asyncProperty(steps, async (given) => {
    await using play = new Play()
    await play.start()
    for (const each of given) await play.step(each)
    const results = await play.calmDown()
    played += given.length
    served += play.served
    refused += play.refused
    violations = [...play.world.violations, ...play.debts(), ...results.flatMap(wrongEnding)]
    if (violations.length > 0) throw new Error(violations.join('\n'))
  })
  const { runs: numRuns, seed, shrinks } = options
  const { failed, errorInstance } = await fc.check(property, { numRuns, seed, endOnFailure: !shrinks })
  if (failed && violations.length === 0) violations = [String(errorInstance)]
  return { steps: played, served, refused, violations }
}

/** How a call, of a lease that may have ended, must not end. */
function wrongEnding(result: unknown): string[] {
  const isRight =
    typeof result === 'string'
      ? result === 'lease'
      : ['exited', 'not-run', 'unknown'].includes((result as { outcome: string }).outcome)
  return isRight ? [] : [`A call ended with ${JSON.stringify(result)}`]
}
