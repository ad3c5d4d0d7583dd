/**
 * One measurement, in a process of its own: `bun tests/bench/sample.ts URL ENTRY IN_FLIGHT WARM_UPS` prints a
 * {@link Sample}. So many times as many calls warm up, and are not counted.
 */
import * as v from 'valibot'
import { entries, inFlightCounts, run } from './contestants.ts'

export const sample = v.object({
  callsPerSecond: v.number(),
  /** Milliseconds. */
  p50: v.number(),
  p99: v.number(),
  /** Of the client's process, all threads, in microseconds. */
  cpuPerCall: v.number(),
  /** What is left on the heap after the calls and a collection, in bytes. */
  heapGrowth: v.number(),
})

/** One measurement. */
export type Sample = v.InferOutput<typeof sample>

async function measure(
  url: string,
  name: string,
  inFlight: (typeof inFlightCounts)[number],
  warmUps: number,
): Promise<Sample> {
  const entry = entries.find((each) => each.name === name)
  if (entry === undefined) throw new RangeError(`No entry ${name}`)
  await using contestant = await entry.make(url, inFlight)
  const calls = entry.work[inFlight]
  await run(contestant, inFlight, calls * warmUps)
  const times = new Float64Array(calls)
  let at = 0
  Bun.gc(true)
  const heap = process.memoryUsage().heapUsed
  const cpu = process.cpuUsage()
  const begun = performance.now()
  await run(contestant, inFlight, calls, (ms) => {
    times[at++] = ms
  })
  const seconds = (performance.now() - begun) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  Bun.gc(true)
  const heapGrowth = process.memoryUsage().heapUsed - heap
  times.sort()
  const p = (share: number) => times[Math.floor((calls - 1) * share)] ?? NaN
  const cpuPerCall = (user + system) / calls
  return { callsPerSecond: calls / seconds, p50: p(0.5), p99: p(0.99), cpuPerCall, heapGrowth }
}

if (import.meta.main) {
  const [url = '', name = '', count, warmUps] = process.argv.slice(2)
  const inFlight = v.parse(v.picklist(inFlightCounts), Number(count))
  console.log(JSON.stringify(await measure(url, name, inFlight, Number(warmUps))))
}
