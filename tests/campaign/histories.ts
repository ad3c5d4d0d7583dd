/**
 * Promise 3: random runs of all kinds of calls on all kinds of servers under all kinds of faults; each call settles by its
 * deadline, and what it is told is what the witness knows. `bun tests/campaign/histories.ts [runs]`
 */
import { type ExecutionResult, SandboxExecutor, type Slot } from '../../mod.ts'
import { trueKinds } from '../faults/twelve-faults.ts'
import { fastClock } from '../support/fast-clock.ts'
import { startFaultProxy } from '../support/fault-proxy.ts'
import { pick, randomOf } from '../support/random.ts'
import { type Level, levels, startRealServer } from '../support/real-server.ts'
import { TimerDrift } from '../support/timer-drift.ts'
import { Witness } from '../support/witness.ts'
import { atLeast, atMost, type Check, exactly, runAlone } from './check.ts'

/** The client's clock is so many times as fast as the server's. */
const speed = 8
const timeoutMs = 2_000
/** So many runs side by side. */
const lanes = 4
const slots = 8
/** Nobody else listens here when the proxy does not. */
const host = '127.0.3.3'
const callsEach = 4
const seed = Number(process.env.CAMPAIGN_SEED ?? 3)

interface Kind {
  readonly name: string
  readonly rest: string
  readonly timeoutMs?: number
  /** Given up after so many milliseconds. */
  readonly abortAfterMs?: number
}

const kinds: readonly [Kind, ...Kind[]] = [
  { name: 'echo', rest: '' },
  { name: 'fails', rest: '; exit 3' },
  { name: 'takes a while', rest: '; sleep 0.1' },
  { name: 'times out', rest: '; sleep 20', timeoutMs: 600 },
  { name: 'is given up', rest: '; sleep 20', abortAfterMs: 150 },
  { name: 'is given up early', rest: '; sleep 0.05', abortAfterMs: 1 },
]

/** One call and how it ended. */
interface Ending {
  readonly kind: Kind
  readonly level: Level
  readonly result: ExecutionResult
  /** By how much a plain timer was late in its run. */
  readonly drift: () => number
}

async function call(executor: SandboxExecutor, slot: Slot, kind: Kind, witness: Witness) {
  const executionId = crypto.randomUUID()
  const command = witness.command(executionId, `echo ran ${executionId}${kind.rest}`)
  const { abortAfterMs } = kind
  const signal = abortAfterMs === undefined ? {} : { signal: AbortSignal.timeout(abortAfterMs) }
  return executor.execute(
    slot,
    'bash',
    { command },
    { executionId, timeoutMs: kind.timeoutMs ?? timeoutMs, ...signal },
  )
}

/** One executor, one proxy with faults of its own, so many calls in each slot. */
async function run(level: Level, witness: Witness, random: () => number) {
  using drift = new TimerDrift()
  await using server = await startRealServer({ slots, level })
  const rate = pick(random, [0, 0.05, 0.2, 0.5])
  const strike = () => (random() < rate ? pick(random, trueKinds)(Math.floor(random() * 900)) : undefined)
  await using proxy = await startFaultProxy({ target: server.url, host, plan: { request: strike } })
  await using executor = new SandboxExecutor(
    { retry: { delayMs: 100 }, batching: { maxCalls: pick(random, [1, 3, 256]) } },
    { clock: fastClock(speed) },
  )
  // For a moment nobody listens.
  const refuses = random() < 0.3
  if (refuses) {
    setTimeout(() => void proxy.refuse(), random() * 200)
    setTimeout(() => void proxy.accept(), 300)
  }
  const endings = executor.slots(proxy.url, slots).map(async (slot) => {
    const mine = Array.from({ length: callsEach }, () => pick(random, kinds))
    const results = await Promise.all(mine.map((kind) => call(executor, slot, kind, witness)))
    return results.map((result, index): Ending => {
      return { kind: mine[index] ?? kinds[0], level, result, drift: () => drift.most }
    })
  })
  const ended = (await Promise.all(endings)).flat()
  if (refuses) await Bun.sleep(300)
  return ended
}

/** What an ending says that is not so. */
function untruth({ kind, level, result }: Ending, count: number): string | undefined {
  const { outcome, output, metadata, failure, executionId } = result
  const told = `${kind.name} on ${level}: ${outcome} (${failure?.code}: ${failure?.message}), ran ${count} times`
  const once = outcome === 'exited' || outcome === 'timed-out'
  if (once ? count !== 1 : outcome === 'not-run' ? count !== 0 : count > 1) return told
  if (outcome === 'exited' && output !== `ran ${executionId}`) return `${told}, with ${output}`
  // Only the server knows these.
  if (outcome === 'timed-out' && metadata.timeout !== true) return `${told}, and the server did not say so`
  if (failure?.code === 'deadline' && outcome !== 'unknown' && outcome !== 'not-run') return told
  return undefined
}

export const histories: Check = {
  name: 'histories',
  row: '3',
  unit: 'runs',
  sizes: { full: 120, quick: 12 },
  run: async (runs) => {
    using witness = new Witness()
    const random = randomOf(seed)
    const endings: Ending[] = []
    let begun = 0
    const lane = async () => {
      while (begun < runs)
        endings.push(...(await run(levels[begun++ % levels.length] ?? 'base', witness, random)))
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    // Calls that were given up may still begin.
    await Bun.sleep(1_000)
    const ran = witness.counts()
    const wrongs = endings.flatMap((ending) => untruth(ending, ran.get(ending.result.executionId) ?? 0) ?? [])
    const late = endings.map(
      ({ kind, result, drift }) =>
        (result.timing.wireMs - (kind.timeoutMs ?? timeoutMs) - 5_000) / speed - drift(),
    )
    const drifted = Math.max(...endings.map(({ drift }) => drift())).toFixed(0)
    const outcomes = Map.groupBy(endings, ({ result }) => result.outcome)
    const told = [...outcomes].map(([outcome, { length }]) => `${length} ${outcome}`)
    return {
      done: `${endings.length} calls in ${runs} runs against servers of ${levels.length} levels: ${told.join(', ')}; plain timers were late by up to ${drifted} ms`,
      figures: [
        exactly('told untruly', wrongs.length, 0),
        atMost('ms after the deadline, beyond what plain timers are late', Math.max(...late), 250),
        atLeast('kinds of outcomes', outcomes.size, 5),
      ],
      wrongs,
    }
  },
}

if (import.meta.main) await runAlone(histories)
