/**
 * Many stateful calls side by side, with timeouts, exits and kills among them, each checked against a model of its slot:
 * its output is its own, its state is that of the last call, and each shell that was replaced was announced.
 */
import type { Sandbox } from '../../src/server/sandbox.ts'
import { execute, post, processesWith } from './support.ts'

export interface StatefulReport {
  /** How many calls of each kind. */
  readonly kinds: Readonly<Record<string, number>>
  /** Shells that ended, as announced: by the call that they ended with, or by the next one alone. */
  readonly lost: number
  readonly restarted: number
  /** Interrupted commands whose shell lived on. */
  readonly kept: number
  /** The longest time that a call took beyond its timeout, in seconds. */
  readonly longestOver: number
  /** Everything that was wrong, in sentences. */
  readonly faults: readonly string[]
}

interface Kind {
  readonly name: string
  readonly weight: number
  readonly command: string
  readonly timeout?: readonly [from: number, to: number]
  /** Whether the shell ends with it; undefined: it should not, but may when the machine is slow. */
  readonly ends?: boolean
  readonly exitCode?: number
}

const stop = [0.005, 0.1] as const
const kinds: readonly Kind[] = [
  { name: 'plain', weight: 40, command: '(exit 7)', exitCode: 7 },
  { name: 'output', weight: 6, command: 'yes $ID | head -n 40000', exitCode: 0 },
  { name: 'job', weight: 8, command: 'sleep 600 > /dev/null 2>&1 & (setsid sleep 600 > /dev/null 2>&1 &)' },
  { name: 'killed later', weight: 5, command: '{ sleep 0.05; kill -9 $$; } > /dev/null 2>&1 &' },
  { name: 'exit', weight: 8, command: 'exit 3', ends: true, exitCode: 3 },
  { name: 'exec', weight: 2, command: 'exec sh -c "exit 4"', ends: true, exitCode: 4 },
  { name: 'set -e', weight: 2, command: 'set -e; sh -c "exit 5"; echo no', ends: true, exitCode: 5 },
  { name: 'kill', weight: 5, command: 'kill -9 $$; echo no', ends: true, exitCode: 137 },
  { name: 'slow', weight: 8, command: 'sleep 600; echo no', timeout: stop },
  { name: 'busy', weight: 5, command: 'while :; do :; done; echo no', timeout: stop },
  { name: 'pipes', weight: 5, command: 'f() { sleep 600 | cat | cat; }; f; f; echo no', timeout: stop },
  { name: 'deaf child', weight: 2, command: 'sh -c \'trap "" INT; sleep 600; sleep 600\'', timeout: stop },
  {
    name: 'deaf shell',
    weight: 2,
    command: 'trap : INT; while :; do sleep 0.05; done',
    timeout: [0.2, 0.3],
    ends: true,
  },
  { name: 'reset', weight: 2, command: '' },
]

export async function runStatefulCalls(
  sandbox: Sandbox,
  options: { readonly slots: number; readonly calls: number; readonly seed: number; readonly marker: string },
): Promise<StatefulReport> {
  const walk = new Walk(sandbox, options.marker, randomOf(options.seed))
  let left = options.calls
  const perSlot = async (slot: number) => {
    const model = new SlotModel(slot)
    while (left-- > 0) await walk.step(model)
  }
  await Promise.all(Array.from({ length: options.slots }, (_, slot) => perSlot(slot)))
  return walk.report
}

/** What must be true of the slot's shell now. */
class SlotModel {
  calls = 0
  /** What the processes of the shell carry. */
  mark: string | null = null
  /** How many commands the shell has counted, if it is known, and at most. */
  least = 0
  most = 0
  /** The shell has ended, and the next call must say so. */
  wasLost = false
  /** Something will kill it. */
  isDoomed = false

  constructor(readonly slot: number) {}

  renew(): void {
    this.mark = null
    this.least = 0
    this.most = 0
    this.wasLost = false
    this.isDoomed = false
  }
}

class Walk {
  readonly #counts: Record<string, number> = {}
  readonly #faults: string[] = []
  #lost = 0
  #restarted = 0
  #kept = 0
  #longestOver = 0

  constructor(
    readonly sandbox: Sandbox,
    readonly marker: string,
    readonly random: () => number,
  ) {}

  get report(): StatefulReport {
    return {
      kinds: this.#counts,
      lost: this.#lost,
      restarted: this.#restarted,
      kept: this.#kept,
      longestOver: this.#longestOver,
      faults: this.#faults,
    }
  }

  async step(model: SlotModel): Promise<void> {
    const kind = this.#pick()
    this.#counts[kind.name] = (this.#counts[kind.name] ?? 0) + 1
    if (kind.name === 'reset') {
      await post(this.sandbox, '/reset', { slot_id: `slot_${model.slot}` })
      this.#renew(model, 'reset')
    } else await this.#call(model, kind)
  }

  async #call(model: SlotModel, kind: Kind): Promise<void> {
    const id = `id-${model.slot}-${model.calls++}-`
    const [from, to] = kind.timeout ?? [20, 20]
    const timeout = from + this.random() * (to - from)
    const mark = `${this.marker}-${id}`
    const command = `export M=\${M:-${mark}} ID=${id}; N=$((N + 1)); echo $ID $N; echo $ID >&2\n${kind.command}`
    const startedAt = performance.now()
    const slot_id = `slot_${model.slot}`
    const result = await execute(this.sandbox, 'bash_stateful', { command }, { slot_id, timeout })
    this.#longestOver = Math.max(this.#longestOver, (performance.now() - startedAt) / 1000 - timeout)
    const fault = (what: string) =>
      this.#faults.push(`${kind.name} ${id}: ${what}: ${JSON.stringify(result).slice(-400)}`)

    if (kind.timeout !== undefined && result.error.endsWith('not ready in time')) {
      // It has not run; a shell that did not come back was killed, which the next call says.
      model.isDoomed = true
      return
    }
    const { stdout, stderr, exit_code, state_lost, shell_restarted } = result.metadata
    for (const line of `${stdout}\n${stderr}`.split('\n')) {
      const isOwn = line.startsWith(id) || id.includes(line)
      if (!isOwn && !/Killed|bytes dropped/.test(line)) fault(`foreign line ${line}`)
    }
    const counted = new RegExp(`^${id} (\\d+)\n`).exec(String(stdout))?.[1]
    if (shell_restarted === true) {
      // It may have ended by itself since the last call.
      if (!model.wasLost && !model.isDoomed) fault('a fresh shell, for no reason')
      if (!model.wasLost) this.#renew(model, kind.name)
      model.wasLost = false
      this.#restarted += 1
    } else if (model.wasLost && (counted !== undefined || kind.timeout === undefined)) fault('not announced')
    if (counted === undefined && kind.timeout === undefined && !model.isDoomed) fault('no output')
    if (counted !== undefined && !(Number(counted) > model.least && Number(counted) <= model.most + 1)) {
      fault(`counted from ${model.least} to ${model.most}`)
    }
    if (counted !== undefined) model.mark ??= mark
    model.least = counted === undefined ? model.least : Number(counted)
    model.most = counted === undefined ? model.most + 1 : Number(counted)

    this.#checkEnd(
      model,
      kind,
      { exitCode: exit_code, isLost: state_lost === true, isTimeout: result.metadata.timeout === true },
      fault,
    )
    if (kind.name === 'killed later' && state_lost !== true) model.isDoomed = true
  }

  #checkEnd(
    model: SlotModel,
    kind: Kind,
    end: { readonly exitCode: unknown; readonly isLost: boolean; readonly isTimeout: boolean },
    fault: (what: string) => void,
  ): void {
    const { exitCode, isLost, isTimeout } = end
    if (isLost) {
      this.#lost += 1
      // On a busy machine it is killed before its own call has ended.
      const isKilled = model.isDoomed || kind.name === 'killed later'
      const isExpected = kind.ends === true || isKilled || kind.timeout !== undefined
      if (!isExpected) fault('the shell ended, for no reason')
      this.#renew(model, kind.name)
      model.wasLost = true
    } else {
      if (kind.ends === true && !(isTimeout && model.least < model.most)) fault('the shell did not end')
      if (isTimeout) this.#kept += 1
    }
    if (isTimeout !== (kind.timeout !== undefined) && !isLost) fault('timeout')
    if (kind.exitCode !== undefined && exitCode !== kind.exitCode && !(isLost && exitCode === 137))
      fault('exit code')
  }

  #renew(model: SlotModel, after: string): void {
    const left = model.mark === null ? [] : processesWith(model.mark)
    if (left.length > 0)
      this.#faults.push(`after ${after} ${left.length} processes are left of the shell that ended`)
    model.renew()
  }

  #pick(): Kind {
    const sum = kinds.reduce((total, { weight }) => total + weight, 0)
    let at = this.random() * sum
    for (const kind of kinds) {
      at -= kind.weight
      if (at < 0) return kind
    }
    throw new Error('the weights do not add up')
  }
}

/** Numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
