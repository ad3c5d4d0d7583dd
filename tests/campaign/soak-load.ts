/** Mixed calls for as long as it takes: through a pool, and past it in slots of their own. */
import { type ExecutionResult, SandboxExecutor, type Slot, SlotPool, staticDiscovery } from '../../mod.ts'
import { pick } from '../support/random.ts'
import type { Witness } from '../support/witness.ts'
import { type SoakWorld, slotsEach } from './soak-world.ts'

/** The pool has the others. */
const ownSlots = 4
const workers = 10
const timeoutMs = 3_000
const megabyte = new Uint8Array(1_000_000).fill(7)

type Work = (slot: Slot) => Promise<readonly ExecutionResult[]>

export class SoakLoad implements AsyncDisposable {
  readonly counts = new Map<string, number>()
  readonly wrongs: string[] = []
  /** By how much the last call to settle was behind its deadline, or, below 0, before it. */
  lateMs = -Infinity
  /** Calls that leave a mark in the witness, and what they were told. */
  readonly marked = new Map<string, ExecutionResult>()
  readonly #executor: SandboxExecutor
  readonly #slots: Slot[]
  readonly #random: () => number
  readonly #witness: Witness
  readonly #pool: SlotPool
  #isRunning = false
  #running: Promise<unknown> = Promise.resolve()
  #trajectories = 0

  static async start(world: SoakWorld, witness: Witness, random: () => number): Promise<SoakLoad> {
    const executor = new SandboxExecutor({ timeoutMs, retry: { delayMs: 100 } })
    const pool = await SlotPool.start({
      executor,
      discovery: staticDiscovery(world.proxies.map(({ url }) => url)),
      slotsPerContainer: slotsEach - ownSlots,
      healthCheckMs: 500,
      acquireTimeoutMs: 60_000,
    })
    return new SoakLoad(world, executor, pool, witness, random)
  }

  private constructor(
    world: SoakWorld,
    executor: SandboxExecutor,
    pool: SlotPool,
    witness: Witness,
    random: () => number,
  ) {
    this.#executor = executor
    this.#pool = pool
    this.#random = random
    this.#witness = witness
    this.#slots = world.proxies.flatMap(({ url }) =>
      this.#executor.slots(url, slotsEach).slice(slotsEach - ownSlots),
    )
  }

  begin(): void {
    this.#isRunning = true
    const loop = async (work: () => Promise<void>) => {
      while (this.#isRunning) {
        await work().catch((error: unknown) => this.wrongs.push(`Nobody expects: ${error}`))
        await Bun.sleep(this.#random() * 30)
      }
    }
    const own = this.#slots.map((slot) => loop(() => this.#inSlot(slot)))
    const pooled = Array.from({ length: workers }, () => loop(() => this.#trajectory()))
    const leased = [loop(() => this.#lease()), loop(() => this.#lease())]
    this.#running = Promise.all([...own, ...pooled, ...leased])
  }

  /** Lets what runs end, and empties all slots; then nothing is held but by wish. */
  async rest(): Promise<void> {
    this.#isRunning = false
    await this.#running
    for (const slot of this.#slots) await this.#reset(slot)
    const isFree = () => this.#pool.stats().slots.free === this.#pool.stats().slots.total
    for (let tries = 0; tries < 100 && !isFree(); tries += 1) await Bun.sleep(100)
    if (!isFree()) this.wrongs.push(`Slots are lost: ${JSON.stringify(this.#pool.stats().slots)}`)
    if (this.#executor.pending > 0) this.wrongs.push(`${this.#executor.pending} calls are left`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isRunning = false
    await this.#running
    await this.#pool.stop()
    await this.#executor.close({ graceMs: 0 })
  }

  async #reset(slot: Slot): Promise<void> {
    for (let tries = 0; tries < 20; tries += 1) if ((await slot.reset()).success) return
    this.wrongs.push(`${slot.slotId} cannot be reset`)
  }

  /** One thing in a slot of our own. */
  async #inSlot(slot: Slot): Promise<void> {
    if (slot.state === 'faulted') await slot.reset()
    for (const result of await pick(this.#random, this.#works)(slot)) this.#ended(result)
  }

  readonly #works: readonly [Work, ...Work[]] = [
    async (slot) => [await this.#marked(slot, '')],
    async (slot) => [await this.#marked(slot, '; exit 3')],
    async (slot) => [await this.#marked(slot, '; sleep 30', { timeoutMs: 300 })],
    async (slot) => [
      await this.#marked(slot, '; sleep 2', { signal: AbortSignal.timeout(this.#random() * 200) }),
    ],
    async (slot) => [await slot.bash('yes | head -c 2000000')],
    async (slot) => [await slot.bash('echo a; sleep 0.05; echo b', { onStdout: () => {} })],
    async (slot) => [await slot.writeFile('f', 'x'.repeat(50_000)), await slot.readFile('f')],
    async (slot) => [
      await this.#executor.execute(slot, 'bash_stateful', { command: 'N=$((N + 1)); echo $N' }),
    ],
    async (slot) => [await slot.reset()],
    async (slot) => {
      await slot.upload('big', megabyte)
      const { body } = await slot.download('big')
      // A cut of it is told by an error in the middle.
      await new Response(body).bytes().catch(() => {})
      return []
    },
    async (slot) => {
      await slot.artifacts.list()
      await slot.artifacts.archive()
      return []
    },
    async (slot) => [await slot.terminal.start(), await slot.terminal.capture(), await slot.terminal.stop()],
    async () =>
      this.#executor.executeBatch(this.#slots.map((each) => [each, 'bash', { command: 'echo in a batch' }])),
  ]

  async #marked(slot: Slot, rest: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}) {
    const executionId = crypto.randomUUID()
    const command = this.#witness.command(executionId, `echo ran ${executionId}${rest}`)
    const result = await slot.bash(command, { executionId, ...options })
    // In a sandbox the witness is not there.
    if (result.metadata.sandboxed === false) this.marked.set(executionId, result)
    return result
  }

  async #trajectory(): Promise<void> {
    const name = `t${this.#trajectories++}`
    for (let call = 0; call < 3; call += 1)
      this.#ended(await this.#pool.run(name, 'bash', { command: `echo ${call} >> log; cat log` }))
    await this.#pool.end(name)
  }

  async #lease(): Promise<void> {
    await using lease = await this.#pool.acquire()
    this.#ended(await lease.bash('echo leased'))
  }

  #ended(result: ExecutionResult): void {
    const { outcome, timing } = result
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1)
    if (outcome !== 'not-run') this.lateMs = Math.max(this.lateMs, timing.wireMs - timeoutMs - 5_000)
  }
}
