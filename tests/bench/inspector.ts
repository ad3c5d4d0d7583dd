/**
 * What looking costs: no inspector, one without a viewer, one with the page open in Chromium; rounds interleaved.
 * Then memory after 1,000,000 events with a viewer that never reads, and the page's redraw with 10,000 slots.
 *
 * bun tests/bench/inspector.ts            all
 * bun tests/bench/inspector.ts memory     one part: floor, humaneval, sandboxed, memory, redraw
 */
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { InspectionEvent } from 'xstate'
import { createMemoryTransport, SandboxExecutor, type Slot } from '../../mod.ts'
import { type Inspector, startInspector } from '../../src/inspector/mod.ts'
import { type SandboxServerOptions, startSandboxServer } from '../../src/server/mod.ts'
import { hasChromium, launch, openPage, openViewer, total, until } from '../inspector/browser.ts'

type Inspect = Inspector['inspect']
type Mode = 'no inspector' | 'no viewer' | 'one viewer'

/** Does a piece of work, looked at or not; gives how many calls it was. */
type Work = (inspect: Inspect | undefined) => Promise<number>

const modes: readonly Mode[] = hasChromium
  ? ['no inspector', 'no viewer', 'one viewer']
  : ['no inspector', 'no viewer']

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** Each mode once a round, so that a busy machine spoils all alike; the ratio is the median of the rounds' ratios. */
async function compare(name: string, rounds: number, work: Work): Promise<void> {
  const times = new Map<Mode, Cost[]>(modes.map((mode) => [mode, []]))
  let calls = 0
  for (let round = 0; round <= rounds; round += 1) {
    for (const mode of modes) {
      await using inspector = await startInspector()
      await using viewer = mode === 'one viewer' ? await openViewer(inspector.url) : undefined
      // A browser that has just come is still busy with itself.
      if (viewer !== undefined) await Bun.sleep(2_000)
      Bun.gc(true)
      const began = performance.now()
      const cpuBefore = process.cpuUsage()
      calls = await work(mode === 'no inspector' ? undefined : inspector.inspect)
      const { user, system } = process.cpuUsage(cpuBefore)
      // The first round warms up.
      if (round > 0) times.get(mode)?.push({ ms: performance.now() - began, cpu: user + system })
      // It looked on all the while, and has it all.
      await viewer?.ask((page) => until(async () => (await total(page, 'exited')) === calls))
    }
  }
  const base = times.get('no inspector') ?? []
  console.log(`\n${name}: ${calls} calls, ${rounds} rounds`)
  for (const [mode, costs] of times) {
    const ratio = (of: (cost: Cost) => number) =>
      median(costs.map((cost, index) => of(cost) / of(base[index] ?? cost))).toFixed(2)
    const time = `${ratio(({ ms }) => ms)} × time, ${((median(costs.map(({ ms }) => ms)) * 1000) / calls).toFixed(1)} µs a call`
    const cpu = `${ratio(({ cpu }) => cpu)} × CPU of this process, ${(median(costs.map(({ cpu }) => cpu)) / calls).toFixed(1)} µs`
    console.log(`  ${mode.padEnd(14)}${time}; ${cpu}`)
  }
}

/** Time in milliseconds, this process's CPU in microseconds: the latter is the same beside a busy neighbour. */
interface Cost {
  readonly ms: number
  readonly cpu: number
}

interface FloorCall {
  readonly execution_id?: string
}

/** A container that answers at once and executes nothing. */
function floorTransport() {
  return createMemoryTransport(async (request) => {
    if (request.method === 'GET') return Response.json({ status: 'ok' })
    const answer = ({ execution_id = null }: { execution_id?: string | null }) => ({
      success: true,
      output: '',
      error: '',
      execution_id,
      metadata: {},
    })
    const body: FloorCall | FloorCall[] = await request.json()
    return Response.json(Array.isArray(body) ? body.map(answer) : answer(body))
  })
}

async function floorWork(inspect: Inspect | undefined): Promise<number> {
  const transport = floorTransport()
  await using executor = new SandboxExecutor({ transport, ...(inspect === undefined ? {} : { inspect }) })
  const slots = executor.slots('http://127.0.0.1:4000', 256)
  const rounds = 40
  await Promise.all(
    slots.map(async (slot) => {
      for (let round = 0; round < rounds; round += 1) await slot.readFile('x')
    }),
  )
  return slots.length * rounds
}

const callsFile = new URL('../../../shared/data/humaneval.calls.jsonl', import.meta.url)

type Isolation = NonNullable<SandboxServerOptions['isolation']>

interface JobCall {
  readonly trajectory: string
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
}

function readJob(): Map<string, JobCall[]> {
  const trajectories = new Map<string, JobCall[]>()
  for (const line of readFileSync(callsFile, 'utf8').split('\n')) {
    if (line === '') continue
    const call: JobCall = JSON.parse(line)
    trajectories.set(call.trajectory, [...(trajectories.get(call.trajectory) ?? []), call])
  }
  return trajectories
}

async function humanevalWork(inspect: Inspect | undefined, isolation: Isolation): Promise<number> {
  await using server = await startSandboxServer({ slots: 8, isolation })
  await using executor = new SandboxExecutor(inspect === undefined ? {} : { inspect })
  const waiting = [...readJob()]
  let calls = 0
  const work = async (slot: Slot) => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [trajectory, job] = next
      slot.acquire(trajectory)
      for (const { tool, args } of job) {
        const result = await executor.execute(slot, tool, args)
        if (result.outcome !== 'exited') throw new Error(`${trajectory}: ${result.error}`)
        calls += 1
      }
      await slot.reset()
      slot.release()
    }
  }
  await Promise.all(executor.slots(server.url, 8).map(work))
  return calls
}

async function compareHumaneval(isolation: Isolation): Promise<void> {
  if (!existsSync(callsFile)) return console.log('\nhumaneval: skipped, no ../shared/data')
  const name = `humaneval: real files and commands, 8 slots, isolation ${isolation}`
  await compare(name, 5, (inspect) => humanevalWork(inspect, isolation))
}

/** What a slot and its coordinator tell of some calls, to be told again and again. */
async function sampleEvents(): Promise<InspectionEvent[]> {
  const events: InspectionEvent[] = []
  const inspect = (event: InspectionEvent) => void events.push(event)
  const executor = new SandboxExecutor({ transport: floorTransport(), inspect })
  const slots = executor.slots('http://127.0.0.1:4000', 8)
  for (let round = 0; round < 10; round += 1) await Promise.all(slots.map((slot) => slot.bash('echo hi')))
  return events
}

async function memory(): Promise<void> {
  const events = await sampleEvents()
  const steps = events.filter(({ type }) => type === '@xstate.microstep').length
  await using inspector = await startInspector()
  const { port } = new URL(inspector.url)
  const stalled = connect(Number(port), '127.0.0.1', () => {
    stalled.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
    stalled.pause()
  })
  const used = () => {
    Bun.gc(true)
    return process.memoryUsage().rss / 1e6
  }
  const tell = async (count: number) => {
    for (let told = 0; told < count; told += steps) {
      for (const event of events) inspector.inspect(event)
      if (told % 20_000 < steps) await Bun.sleep(1)
    }
  }
  await tell(100_000)
  const before = used()
  const began = performance.now()
  await tell(1_000_000)
  const each = ((performance.now() - began) * 1000) / 1_000_000
  const after = used()
  stalled.destroy()
  console.log('\nmemory, with a viewer that never reads')
  console.log(`  after   100,000 events ${before.toFixed(0)} MB`)
  console.log(
    `  after 1,100,000 events ${after.toFixed(0)} MB; ${each.toFixed(2)} µs an event in the recorder`,
  )
  check('grows by less than 64 MB', after - before < 64)
}

async function redraw(): Promise<void> {
  if (!hasChromium) return console.log('\nredraw: skipped, no /usr/bin/chromium')
  await using inspector = await startInspector()
  await using executor = new SandboxExecutor({ transport: floorTransport(), inspect: inspector.inspect })
  const containers = Array.from({ length: 20 }, (_, index) => `http://10.0.0.${index + 1}:8080`)
  const slots = containers.flatMap((container) => executor.slots(container, 500))
  const browser = await launch()
  const { page } = await openPage(browser, inspector.url, { width: 1280, colorScheme: 'light' })
  let isOver = false
  const work = async () => {
    while (!isOver) {
      const some = Array.from({ length: 20 }, () => slots[Math.floor(Math.random() * slots.length)])
      await Promise.all(some.map((slot) => slot?.bash('echo hi')))
      await Bun.sleep(20)
    }
  }
  const working = work()
  const times: number[] = []
  for (let count = 0; count < 100; count += 1) {
    await Bun.sleep(80)
    const ms = await page.evaluate(() => performance.getEntriesByName('redraw').at(-1)?.duration)
    if (ms !== undefined && count >= 10) times.push(ms)
  }
  isOver = true
  await working
  await browser.close()
  console.log(
    `\nredraw with ${slots.length} slots under way: median ${median(times).toFixed(1)} ms of ${times.length}`,
  )
  check('below 50 ms', median(times) < 50)
}

function check(what: string, isSo: boolean): void {
  console.log(`  ${isSo ? 'ok' : 'NOT OK'}: ${what}`)
  if (!isSo) process.exitCode = 1
}

const parts: Readonly<Record<string, () => Promise<void>>> = {
  floor: () => compare('floor: calls that execute nothing, 256 slots', 7, floorWork),
  humaneval: () => compareHumaneval('none'),
  sandboxed: () => compareHumaneval('bubblewrap'),
  memory,
  redraw,
}

const [wanted] = process.argv.slice(2)
for (const [name, part] of Object.entries(parts)) if (wanted === undefined || wanted === name) await part()
process.exit()
