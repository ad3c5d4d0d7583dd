/**
 * What many calls and many slots cost: `bun tests/bench/scale.ts`. The calls are 64 in flight on the floor server. CPU of
 * many slots is that of a process for each figure, or one would pay for the slots of the one before; all else is of this one.
 */
import { fileURLToPath } from 'node:url'
import { SandboxExecutor } from '../../mod.ts'
import { spawnFloorServer } from './floor-server.ts'
import { spreadOf } from './measure.ts'

const inFlight = 64
const rounds = 7

const [givenUrl, givenSlots, givenCalls] = process.argv.slice(2)
if (givenUrl === undefined) await compareAll()
else console.log(await cpuPerCall(givenUrl, Number(givenSlots), Number(givenCalls)))

async function compareAll(): Promise<void> {
  await using floor = await spawnFloorServer()
  console.log('calls, 64 slots        CPU µs a call, median (min–max) of 7, and × that of the first')
  await compare([1_000, 10_000, 100_000], (calls) => cpuPerCall(floor.url, inFlight, calls))
  for (const calls of [20_000, 100_000]) {
    console.log(`slots, ${calls.toLocaleString('en').padStart(7)} calls   CPU µs a call`)
    await compare([100, 1_000, 10_000], (slots) => inItsOwnProcess(floor.url, slots, calls))
  }
  await holdSlots(100_000)
}

async function inItsOwnProcess(url: string, slots: number, calls: number): Promise<number> {
  const argv = [process.execPath, fileURLToPath(import.meta.url), url, String(slots), String(calls)]
  const child = Bun.spawn(argv, { stdout: 'pipe', stderr: 'inherit' })
  const figure = Number.parseFloat(await new Response(child.stdout).text())
  if ((await child.exited) !== 0 || Number.isNaN(figure)) throw new Error(`${slots} slots failed`)
  return figure
}

/** Each round takes every size once: what disturbs one disturbs all. */
async function compare(sizes: readonly number[], of: (size: number) => Promise<number>): Promise<void> {
  const samples = new Map(sizes.map((size) => [size, [] as number[]]))
  for (let round = 0; round < rounds; round += 1)
    for (const [size, figures] of samples) figures.push(await of(size))
  const base = samples.get(sizes[0] ?? NaN) ?? []
  for (const [size, figures] of samples) {
    const { min, median, max } = spreadOf(figures)
    const ratio = spreadOf(figures.map((figure, round) => figure / (base[round] ?? NaN))).median
    console.log(
      `${size.toLocaleString('en').padStart(7)}  ${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})  ${ratio.toFixed(2)} ×`,
    )
  }
}

/** The calls go to all slots in turn, after as many that warm up. */
async function cpuPerCall(url: string, slotCount: number, calls: number): Promise<number> {
  await using executor = new SandboxExecutor()
  const slots = executor.slots(url, slotCount)
  const run = async () => {
    let made = 0
    const worker = async (first: number) => {
      // Each worker has slots of its own, so that no call waits for another.
      for (let at = first; made < calls; at = at + inFlight < slotCount ? at + inFlight : first) {
        made += 1
        const slot = slots[at]
        if (slot === undefined) throw new RangeError(`No slot ${at}`)
        const { success, error } = await executor.execute(slot, 'write_file', { path: 'a', content: 'b' })
        if (!success) throw new Error(error)
      }
    }
    await Promise.all(Array.from({ length: inFlight }, (_, first) => worker(first)))
  }
  await run()
  const cpu = process.cpuUsage()
  await run()
  const { user, system } = process.cpuUsage(cpu)
  return (user + system) / calls
}

/** The time to make slots, which start as they are made, and what each of them takes on the heap. */
async function holdSlots(count: number): Promise<void> {
  await using executor = new SandboxExecutor()
  Bun.gc(true)
  const heap = process.memoryUsage().heapUsed
  const begun = performance.now()
  const slots = executor.slots('http://127.0.0.1:1', count)
  const ms = performance.now() - begun
  Bun.gc(true)
  const bytes = (process.memoryUsage().heapUsed - heap) / slots.length
  console.log(
    `${count.toLocaleString('en')} slots held and started in ${ms.toFixed(0)} ms, ${bytes.toFixed(0)} bytes each`,
  )
}
