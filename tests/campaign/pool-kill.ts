/**
 * Promise 11: trajectories through a pool over several servers, each a process of its own; one of them is killed with
 * SIGKILL in the middle. Every call must settle truthfully, trajectories elsewhere must not notice, and no workspace may
 * ever have two owners. `bun tests/campaign/pool-kill.ts [trajectories]`
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExecutionResult, type PoolEvent, SlotPool, staticDiscovery } from '../../mod.ts'
import { hasBubblewrap } from '../server/support.ts'
import { type ServeProcess, startServe } from '../support/serve-process.ts'
import { openDirectory } from '../support/temporary-directory.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'

const callsEach = 5

export interface PoolCampaign {
  readonly containers: number
  readonly slots: number
  readonly trajectories: number
  readonly isolation: 'bubblewrap' | 'none'
  readonly kill: boolean
}

export interface PoolReport {
  /** Calls by outcome. */
  readonly outcomes: Readonly<Record<string, number>>
  /** Trajectories that had a slot in the container that was killed. */
  readonly struck: number
  /** What must not be; each a sentence. */
  readonly violations: readonly string[]
  readonly seconds: number
}

/** Runs it all; nothing is left of it. */
export async function runPoolCampaign(campaign: PoolCampaign): Promise<PoolReport> {
  const place = openDirectory(tmpdir(), 'pool-kill-')
  const { slots, isolation } = campaign
  const start = () => startServe(['--slots', String(slots)], { isolation, env: { TMPDIR: place } })
  const servers = await Promise.all(Array.from({ length: campaign.containers }, start))
  try {
    return await new Run(campaign, servers, join(place, 'witness')).run()
  } finally {
    await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()))
    rmSync(place, { recursive: true, force: true })
  }
}

class Run {
  readonly #campaign: PoolCampaign
  readonly #servers: readonly ServeProcess[]
  readonly #witness: string
  readonly #violations: string[] = []
  readonly #results: ExecutionResult[] = []
  readonly #owners = new Map<string, number>()
  readonly #homes = new Map<string, string>()

  constructor(campaign: PoolCampaign, servers: readonly ServeProcess[], witness: string) {
    this.#campaign = campaign
    this.#servers = servers
    this.#witness = witness
    writeFileSync(witness, '')
  }

  async run(): Promise<PoolReport> {
    const { trajectories } = this.#campaign
    const startedAt = performance.now()
    {
      await using pool = await SlotPool.start({
        discovery: staticDiscovery(this.#servers.map(({ url }) => url)),
        healthCheckMs: 1_000,
        acquireTimeoutMs: 600_000,
        onEvent: (event) => this.#watch(event),
      })
      await Promise.all(
        Array.from({ length: trajectories }, (_, index) => this.#trajectory(pool, `t${index}`)),
      )
      const { slots } = pool.stats()
      if (slots.free !== slots.total) this.#violations.push(`Slots were lost: ${JSON.stringify(slots)}`)
    }
    if (this.#campaign.isolation === 'none') this.#askWitness()
    return {
      outcomes: Object.fromEntries(
        [...Map.groupBy(this.#results, ({ outcome }) => outcome)].map(([outcome, all]) => [
          outcome,
          all.length,
        ]),
      ),
      struck: [...this.#homes.values()].filter((url) => this.#campaign.kill && url === this.#servers[0]?.url)
        .length,
      violations: this.#violations,
      seconds: (performance.now() - startedAt) / 1000,
    }
  }

  /** Each call adds a line to a file of the workspace and shows it: lines of others are other owners. */
  async #trajectory(pool: SlotPool, name: string): Promise<void> {
    let expected = ''
    for (let index = 0; index < callsEach; index += 1) {
      const executionId = `${name}:${index}:${crypto.randomUUID()}`
      const witness = this.#campaign.isolation === 'none' ? `echo ${executionId} >> ${this.#witness}; ` : ''
      const command = `${witness}echo ${executionId} >> log; cat log`
      const result = await pool.run(name, 'bash', { command }, { executionId })
      this.#ended(result)
      expected += `${executionId}\n`
      if (result.outcome !== 'exited') {
        if (this.#homes.get(name) !== this.#servers[0]?.url || !this.#campaign.kill)
          this.#violations.push(`${name} was struck: ${result.outcome} ${result.error}`)
      } else if (result.output.trim() !== expected.trim())
        this.#violations.push(`${name} found in its workspace: ${result.output}`)
    }
    await pool.end(name)
  }

  #ended(result: ExecutionResult): void {
    this.#results.push(result)
    const half = Math.floor((this.#campaign.trajectories * callsEach) / 3)
    if (this.#campaign.kill && this.#results.length === half) this.#servers[0]?.child.kill('SIGKILL')
  }

  #watch(event: PoolEvent): void {
    if (event.type === 'lease.acquired') {
      const key = `${event.container} ${event.slotId}`
      const owner = this.#owners.get(key)
      if (owner !== undefined)
        this.#violations.push(`${key} went to ${event.generation} while ${owner} had it`)
      this.#owners.set(key, event.generation)
      if (event.trajectoryId !== null) this.#homes.set(event.trajectoryId, event.container)
    } else if (event.type === 'lease.released' || event.type === 'lease.lost') {
      this.#owners.delete(`${event.container} ${event.slotId}`)
    }
  }

  /** `exited` ran once, `not-run` never, `unknown` at most once. */
  #askWitness(): void {
    const runs = new Map<string, number>()
    for (const line of readFileSync(this.#witness, 'utf8').split('\n'))
      runs.set(line, (runs.get(line) ?? 0) + 1)
    for (const { executionId, outcome } of this.#results) {
      const times = runs.get(executionId) ?? 0
      const isTrue = outcome === 'exited' ? times === 1 : outcome === 'not-run' ? times === 0 : times <= 1
      if (!isTrue) this.#violations.push(`${executionId} is told as ${outcome} and ran ${times} times`)
    }
  }
}

export const poolKill: Check = {
  name: 'pool-kill',
  row: '11',
  unit: 'trajectories',
  sizes: { full: 1_000, quick: 60 },
  run: async (trajectories) => {
    const slots = Math.max(4, Math.min(64, trajectories / 10))
    const isolation = hasBubblewrap ? 'bubblewrap' : 'none'
    const report = await runPoolCampaign({ containers: 4, slots, trajectories, isolation, kill: true })
    const told = Object.entries(report.outcomes).map(([outcome, count]) => `${count} ${outcome}`)
    const settled = Object.values(report.outcomes).reduce((sum, count) => sum + count, 0)
    return {
      done: `${trajectories} trajectories of ${callsEach} calls in 4 servers of ${slots} slots, one killed, which struck ${report.struck}: ${told.join(', ')}`,
      figures: [
        exactly('calls settled', settled, trajectories * callsEach),
        exactly('double owners, strangers struck, slots lost', report.violations.length, 0),
        atLeast('trajectories struck', report.struck, 1),
      ],
      wrongs: [...report.violations],
    }
  },
}

if (import.meta.main) await runAlone(poolKill)
