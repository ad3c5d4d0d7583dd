/** Figures of contestants, from rounds that take turns: what disturbs one disturbs all. */
import { fileURLToPath } from 'node:url'
import * as v from 'valibot'
import { type Entry, type InFlight, limitName } from './contestants.ts'
import { spawnFloorServer } from './floor-server.ts'
import { type Sample, sample } from './sample.ts'

/** All samples of one contestant at one number of calls in flight, by round, and the calls of a post. */
export interface Figure {
  readonly name: string
  readonly inFlight: InFlight
  readonly samples: Sample[]
  callsPerPost: number
}

export interface Spread {
  readonly min: number
  readonly median: number
  readonly max: number
}

const program = fileURLToPath(new URL('./sample.ts', import.meta.url))

/**
 * Each round runs every entry once, each in a fresh process, and begins with another one. `warmUps` times as many calls as
 * are counted go before.
 */
export async function measure(
  entries: readonly Entry[],
  inFlight: InFlight,
  rounds: number,
  warmUps: number,
  told: (line: string) => void,
): Promise<Figure[]> {
  await using floor = await spawnFloorServer()
  const figures = entries.map(({ name }): Figure => ({ name, inFlight, samples: [], callsPerPost: NaN }))
  for (let round = 0; round < rounds; round += 1) {
    for (const at of figures.keys()) {
      const figure = figures[(at + round) % figures.length]
      if (figure === undefined) continue
      const before = await floor.counts()
      figure.samples.push(await takeSample(floor.url, figure.name, inFlight, warmUps))
      const after = await floor.counts()
      figure.callsPerPost = (after.calls - before.calls) / (after.posts - before.posts)
    }
    told(`${inFlight} in flight: round ${round + 1} of ${rounds}`)
  }
  return figures
}

async function takeSample(url: string, name: string, inFlight: number, warmUps: number): Promise<Sample> {
  const argv = [process.execPath, program, url, name, String(inFlight), String(warmUps)]
  const child = Bun.spawn(argv, { stdout: 'pipe', stderr: 'inherit' })
  const text = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${name} at ${inFlight} failed`)
  return v.parse(sample, JSON.parse(text))
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other)
  return { min: sorted.at(0) ?? NaN, median: medianOf(sorted), max: sorted.at(-1) ?? NaN }
}

function medianOf(sorted: readonly number[]): number {
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] ?? NaN) + (sorted[Math.ceil(middle)] ?? NaN)) / 2
}

/** The ratios to the limit, round by round. */
export function ratiosToLimit(
  figures: readonly Figure[],
  figure: Figure,
  of: (sample: Sample) => number,
): number[] {
  const limit = figures.find(({ name, inFlight }) => name === limitName && inFlight === figure.inFlight)
  return figure.samples.map((one, round) => {
    const other = limit?.samples[round]
    return other === undefined ? NaN : of(one) / of(other)
  })
}
