/** Figures of contestants, from rounds that take turns: what disturbs one disturbs all. */
import {
  type Contestant,
  type Entry,
  entries,
  type InFlight,
  inFlightCounts,
  limitName,
  run,
} from './contestants.ts'
import { type FloorServer, spawnFloorServer } from './floor-server.ts'

/** One measurement. */
export interface Sample {
  readonly callsPerSecond: number
  /** CPU of this process, all threads. */
  readonly cpuMicrosPerCall: number
  readonly callsPerPost: number
}

/** All samples of one contestant at one number of calls in flight, by round. */
export interface Figure {
  readonly name: string
  readonly inFlight: InFlight
  readonly samples: Sample[]
}

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

export async function measure(rounds: number, told: (line: string) => void): Promise<Figure[]> {
  await using floor = await spawnFloorServer()
  await using stack = new AsyncDisposableStack()
  const contestants = entries.map((entry) => ({ entry, contestant: stack.use(entry.make(floor.url)) }))
  const figures: Figure[] = []
  for (const inFlight of inFlightCounts) {
    const here = contestants.map((each) => ({ ...each, samples: [] as Sample[] }))
    for (const { contestant, entry } of here) await run(contestant, inFlight, entry.work[inFlight] / 4)
    for (let round = 0; round < rounds; round += 1) {
      // Each round begins with another one.
      for (const at of here.keys()) {
        const each = here[(at + round) % here.length]
        each?.samples.push(await sample(each.contestant, each.entry, inFlight, floor))
      }
      told(`${inFlight} in flight: round ${round + 1} of ${rounds}`)
    }
    figures.push(...here.map(({ entry, samples }) => ({ name: entry.name, inFlight, samples })))
  }
  return figures
}

async function sample(
  contestant: Contestant,
  entry: Entry,
  inFlight: InFlight,
  floor: FloorServer,
): Promise<Sample> {
  const calls = entry.work[inFlight]
  const before = await floor.counts()
  Bun.gc(true)
  const cpu = process.cpuUsage()
  const start = performance.now()
  await run(contestant, inFlight, calls)
  const seconds = (performance.now() - start) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const after = await floor.counts()
  return {
    callsPerSecond: calls / seconds,
    cpuMicrosPerCall: (user + system) / calls,
    callsPerPost: (after.calls - before.calls) / (after.posts - before.posts),
  }
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other)
  return { min: sorted.at(0) ?? NaN, median: medianOf(sorted), max: sorted.at(-1) ?? NaN }
}

function medianOf(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
}

/** The median of the ratios to the limit, round by round. */
export function ratioToLimit(
  figures: readonly Figure[],
  figure: Figure,
  of: (sample: Sample) => number,
): number {
  const limit = figures.find(({ name, inFlight }) => name === limitName && inFlight === figure.inFlight)
  const ratios = figure.samples.map((sample, round) => {
    const other = limit?.samples[round]
    return other === undefined ? NaN : of(sample) / of(other)
  })
  return spreadOf(ratios).median
}
