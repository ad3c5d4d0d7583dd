/**
 * Trajectories through a pool over several servers, each a process of its own; with `--kill` one of them is killed with
 * SIGKILL in the middle. Every call must settle truthfully, trajectories elsewhere must not notice, and no workspace may
 * ever have two owners.
 *
 *     bun tests/campaign/pool-kill.ts [--kill] [--isolation none] [--containers 4] [--slots 64] [--trajectories 1000]
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { type ExecutionResult, type PoolEvent, SlotPool, staticDiscovery } from '../../mod.ts'

const main = resolve(import.meta.dir, '../../src/cli/main.ts')
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
  const place = mkdtempSync(join(tmpdir(), 'pool-kill-'))
  const servers = await Promise.all(Array.from({ length: campaign.containers }, () => serve(campaign, place)))
  try {
    return await new Run(campaign, servers, join(place, 'witness')).run()
  } finally {
    for (const { child } of servers) child.kill('SIGTERM')
    await Promise.all(servers.map(({ child }) => child.exited))
    rmSync(place, { recursive: true, force: true })
  }
}

interface Server {
  readonly url: string
  readonly child: Bun.Subprocess<'ignore', 'pipe', 'ignore'>
}

async function serve({ slots, isolation }: PoolCampaign, place: string): Promise<Server> {
  const argv = ['serve', '--slots', String(slots), '--isolation', isolation, '--drain-timeout', '1']
  const child = Bun.spawn([process.execPath, main, ...argv], {
    env: { ...process.env, TMPDIR: place },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
  })
  const decoder = new TextDecoder()
  const reader = child.stdout.getReader()
  let text = ''
  while (!text.includes('\n')) {
    const { value, done } = await reader.read()
    if (done) throw new Error('A server ended before it told its address')
    text += decoder.decode(value, { stream: true })
  }
  reader.releaseLock()
  return { url: text.trim(), child }
}

class Run {
  readonly #campaign: PoolCampaign
  readonly #servers: readonly Server[]
  readonly #witness: string
  readonly #violations: string[] = []
  readonly #results: ExecutionResult[] = []
  readonly #owners = new Map<string, number>()
  readonly #homes = new Map<string, string>()

  constructor(campaign: PoolCampaign, servers: readonly Server[], witness: string) {
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

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      kill: { type: 'boolean', default: false },
      isolation: { type: 'string', default: 'bubblewrap' },
      containers: { type: 'string', default: '4' },
      slots: { type: 'string', default: '64' },
      trajectories: { type: 'string', default: '1000' },
    },
  })
  const report = await runPoolCampaign({
    containers: Number(values.containers),
    slots: Number(values.slots),
    trajectories: Number(values.trajectories),
    isolation: values.isolation === 'none' ? 'none' : 'bubblewrap',
    kill: values.kill,
  })
  const { violations, ...figures } = report
  console.log(JSON.stringify(figures))
  console.log(`${violations.length} violations`)
  for (const violation of violations.slice(0, 20)) console.log(`  ${violation}`)
  if (violations.length > 0) process.exitCode = 1
}
