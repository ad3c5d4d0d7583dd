/**
 * Promise 12: more trajectories than slots, down to two in one slot: all end, whoever holds a slot and waits for another
 * included; and fast calls do not wait for a stranger's slow one. `bun tests/campaign/nobody-blocks.ts [trajectories]`
 */
import { SandboxExecutor, SlotPool, staticDiscovery } from '../../mod.ts'
import { startServe } from '../support/serve-process.ts'
import { below, type Check, exactly, runAlone } from './check.ts'

const callsEach = 3

/** Trajectories through a pool of `slots`, begun all at once; how many calls ran. */
async function crowd(url: string, slots: number, trajectories: number): Promise<number> {
  await using pool = await SlotPool.start({
    discovery: staticDiscovery([url]),
    slotsPerContainer: slots,
    healthCheckMs: 1_000,
    acquireTimeoutMs: 600_000,
  })
  const names = Array.from({ length: trajectories }, (_, index) => `t${index}`)
  const counts = await Promise.all(
    names.map(async (name) => {
      const results = []
      for (let call = 0; call < callsEach; call += 1)
        results.push(await pool.run(name, 'bash', { command: `echo ${call} >> log; wc -l < log` }))
      await pool.end(name)
      // A workspace of its own: each finds its own lines and no others.
      return results.filter(({ output }, index) => output === String(index + 1)).length
    }),
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The longest time that a fast call takes beside slow ones of strangers, of `seconds`, in one container. */
async function besideStrangers(url: string, slots: number, seconds: number): Promise<number> {
  await using executor = new SandboxExecutor()
  const [first, ...others] = executor.slots(url, slots)
  await first.bash('true')
  const slow = others.slice(0, slots / 2).map((slot) => slot.bash(`sleep ${seconds}`))
  const waits: number[] = []
  for (const slot of others.slice(slots / 2)) {
    const begin = performance.now()
    await slot.bash('echo fast')
    waits.push(performance.now() - begin)
  }
  await Promise.all(slow)
  return Math.max(...waits)
}

export const nobodyBlocks: Check = {
  name: 'nobody-blocks',
  row: '12',
  unit: 'trajectories',
  sizes: { full: 400, quick: 40 },
  run: async (trajectories) => {
    await using server = await startServe(['--slots', '16'])
    const inOne = await crowd(server.url, 1, 2)
    const inMany = await crowd(server.url, 16, trajectories)
    const seconds = 3
    const wait = await besideStrangers(server.url, 16, seconds)
    return {
      done: `2 trajectories in 1 slot and ${trajectories} in 16, ${callsEach} calls each; fast calls beside 8 of ${seconds} s`,
      figures: [
        exactly('calls that ran, 1 slot', inOne, 2 * callsEach),
        exactly('calls that ran, 16 slots', inMany, trajectories * callsEach),
        below('ms that a fast call took at most', wait, seconds * 500),
      ],
      wrongs: [],
    }
  },
}

if (import.meta.main) await runAlone(nobodyBlocks)
