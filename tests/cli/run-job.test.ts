import { describe, expect, test } from 'bun:test'
import * as v from 'valibot'
import { type JobCall, type Trajectory, trajectoriesOf } from '../../src/cli/job/calls-file.ts'
import type { ResultRecord } from '../../src/cli/job/records.ts'
import { type Job, runJob } from '../../src/cli/job/run-job.ts'
import { SlotsLeft } from '../../src/cli/job/slots-left.ts'
import { staticDiscovery } from '../../src/discovery/static-discovery.ts'
import { SlotPool } from '../../src/executor/pool/slot-pool.ts'
import { SandboxExecutor } from '../../src/executor/sandbox-executor.ts'
import { createMemoryTransport } from '../../src/transport/memory-transport.ts'

const addr = 'http://container'

interface Seen {
  readonly route: string
  readonly slotId: string
  readonly command: string
}

const requestItem = v.object({
  slot_id: v.string(),
  args: v.optional(v.object({ command: v.string() }), { command: '' }),
  execution_id: v.optional(v.string(), ''),
})

/** A container in memory: what came, and answers as the test says. */
function container(answer: (seen: Seen) => Partial<{ success: boolean; status: number }> = () => ({})) {
  const seen: Seen[] = []
  const one = (route: string, item: unknown) => {
    const { slot_id, args, execution_id } = v.parse(requestItem, item)
    const what = { route, slotId: slot_id, command: args.command }
    seen.push(what)
    const { success = true, status = 200 } = answer(what)
    const error = success ? '' : 'it failed'
    return { status, body: { success, output: what.command, error, execution_id: execution_id || null } }
  }
  const transport = createMemoryTransport(async (request) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/health') return Response.json({ status: 'ok', slots: 4 })
    const body: unknown = await request.json()
    const answers = (Array.isArray(body) ? body : [body]).map((item: unknown) => one(pathname, item))
    const status = Math.max(...answers.map((item) => item.status))
    const bodies = answers.map((item) => item.body)
    return Response.json(Array.isArray(body) ? bodies : bodies[0], { status })
  })
  return { seen, transport }
}

function trajectories(...commands: readonly (readonly [id: string, ...commands: string[]])[]): Trajectory[] {
  const calls = commands.flatMap(([trajectory, ...all]) => all.map((command) => ({ trajectory, command })))
  return trajectoriesOf(
    calls.map(({ trajectory, command }, index): JobCall => {
      return { index, trajectory, tool: 'bash', args: { command }, timeoutMs: undefined }
    }),
  )
}

async function run(
  job: readonly Trajectory[],
  { transport }: Pick<ReturnType<typeof container>, 'transport'>,
  given: Partial<Job> & { slotCount?: number } = {},
) {
  const { slotCount = 1, ...parts } = given
  await using executor = new SandboxExecutor({ transport, retry: { attempts: 1 } })
  let left: SlotsLeft | undefined
  await using pool = await SlotPool.start({
    executor,
    discovery: staticDiscovery([addr]),
    slotsPerContainer: slotCount,
    onEvent: (event) => left?.onEvent(event),
  })
  left = new SlotsLeft(() => pool.stats(), 0)
  const records: ResultRecord[] = []
  const lost: string[] = []
  await runJob({
    pool,
    trajectories: job,
    areSlotsUsed: false,
    signal: new AbortController().signal,
    noSlotLeft: left.none,
    onCall: () => {},
    onResult: (record) => records.push(record),
    onSlotFaulted: ({ slotId }, reason) => {
      left?.lost(`the reset of ${slotId} at ${addr} failed: ${reason}`)
      lost.push(`${slotId}: ${reason}`)
    },
    ...parts,
  })
  return { records, lost }
}

const routesOf = (seen: readonly Seen[]) =>
  seen.map(({ route, command }) => (route === '/reset' ? 'reset' : command))

describe('a job', () => {
  test('runs the calls of a trajectory in order, and resets the slot before the next one, not after the last', async () => {
    const box = container()
    const { records } = await run(trajectories(['a', 'a1', 'a2'], ['b', 'b1'], ['c', 'c1']), box)
    expect(routesOf(box.seen)).toEqual(['a1', 'a2', 'reset', 'b1', 'reset', 'c1'])
    expect(records.map(({ index, output }) => [index, output])).toEqual([
      [0, 'a1'],
      [1, 'a2'],
      [2, 'b1'],
      [3, 'c1'],
    ])
  })

  test('resets slots that others may have used also before their first trajectory', async () => {
    const box = container()
    await run(trajectories(['a', 'a1'], ['b', 'b1']), box, { areSlotsUsed: true, slotCount: 2 })
    expect(routesOf(box.seen)).toEqual(['reset', 'reset', 'a1', 'b1'])
  })

  test('keeps each trajectory in one slot, and runs trajectories side by side', async () => {
    const box = container()
    const many = Array.from({ length: 20 }, (_, index) => [`t${index}`, 'x', 'y', 'z'] as const)
    const { records } = await run(trajectories(...many), box, { slotCount: 4 })
    expect(records).toHaveLength(60)
    for (const [, ofIt] of Map.groupBy(records, ({ trajectory }) => trajectory)) {
      expect(new Set(ofIt.map(({ slot_id }) => slot_id)).size).toBe(1)
      expect(ofIt.map(({ output }) => output)).toEqual(['x', 'y', 'z'])
    }
    expect(new Set(records.map(({ slot_id }) => slot_id)).size).toBe(4)
  })

  test('goes on in a trajectory after a tool that failed', async () => {
    const box = container(({ command }) => ({ success: command !== 'a1' }))
    const { records } = await run(trajectories(['a', 'a1', 'a2']), box)
    expect(records.map(({ outcome, success, error }) => [outcome, success, error])).toEqual([
      ['exited', false, 'it failed'],
      ['exited', true, ''],
    ])
  })

  test('does not run the rest of a trajectory after a call of which nobody knows whether it ran', async () => {
    const box = container(({ command }) => ({ status: command === 'a2' ? 502 : 200 }))
    const { records } = await run(trajectories(['a', 'a1', 'a2', 'a3', 'a4'], ['b', 'b1']), box)
    expect(records.map(({ index, outcome }) => [index, outcome])).toEqual([
      [0, 'exited'],
      [1, 'unknown'],
      [2, 'not-run'],
      [3, 'not-run'],
      [4, 'exited'],
    ])
    expect(records[3]).toMatchObject({ slot_id: 'slot_0', container: addr, execution_id: null })
    expect(records[3]?.error).toStartWith(
      'Not run: the call of index 1, earlier in this trajectory, ended as unknown, so its workspace',
    )
    expect(routesOf(box.seen)).toEqual(['a1', 'a2', 'reset', 'b1'])
  })

  test('gives the trajectory of a slot whose reset failed to another slot', async () => {
    const box = container(({ route, slotId }) => ({ success: route !== '/reset' || slotId !== 'slot_0' }))
    const job = trajectories(['a', 'a1'], ['b', 'b1'], ['c', 'c1'], ['d', 'd1'])
    const { records, lost } = await run(job, box, { slotCount: 2 })
    expect(lost).toEqual(['slot_0: it failed'])
    expect(records.map(({ trajectory }) => trajectory).toSorted()).toEqual(['a', 'b', 'c', 'd'])
    expect(records.every(({ outcome }) => outcome === 'exited')).toBe(true)
    expect(records.filter(({ slot_id }) => slot_id === 'slot_0')).toHaveLength(1)
  })

  test('says why calls are not run when no slot is left', async () => {
    const box = container(({ route }) => ({ success: route !== '/reset' }))
    const { records, lost } = await run(trajectories(['a', 'a1'], ['b', 'b1', 'b2'], ['c', 'c1']), box)
    expect(lost).toHaveLength(1)
    records.sort((a, b) => a.index - b.index)
    expect(records.map(({ index, outcome }) => [index, outcome])).toEqual([
      [0, 'exited'],
      [1, 'not-run'],
      [2, 'not-run'],
      [3, 'not-run'],
    ])
    expect(records[3]).toMatchObject({ slot_id: null, container: null, execution_id: null })
    expect(records[3]?.error).toBe(
      `Not run: no slot is left (the reset of slot_0 at ${addr} failed: it failed)`,
    )
  })

  test('begins nothing after it was interrupted, and tells only what ended by itself', async () => {
    const controller = new AbortController()
    const box = container(({ command }) => {
      if (command === 'a2') controller.abort()
      return {}
    })
    const job = trajectories(['a', 'a1', 'a2', 'a3'], ['b', 'b1'])
    const { records } = await run(job, box, { signal: controller.signal })
    expect(records.map(({ index }) => index)).toEqual([0, 1])
    expect(routesOf(box.seen)).toEqual(['a1', 'a2'])
  })

  test('rejects when a result cannot be kept', async () => {
    const onResult = () => {
      throw new Error('the disk is full')
    }
    const running = run(trajectories(['a', 'a1']), container(), { onResult })
    expect(running).rejects.toThrow('the disk is full')
    await running.catch(() => {})
  })
})
