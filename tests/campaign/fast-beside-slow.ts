/**
 * Promise 7: a fast call beside one of 30 s in the same `/v2/batch`: how long after its end on the server its result is
 * there. The end is told by the command itself. `bun tests/campaign/fast-beside-slow.ts [seconds]`
 */
import { SandboxExecutor } from '../../mod.ts'
import { startServe } from '../support/serve-process.ts'
import { below, type Check, exactly, runAlone } from './check.ts'

const slots = 16

export const fastBesideSlow: Check = {
  name: 'fast-beside-slow',
  row: '7',
  unit: 'seconds',
  sizes: { full: 30, quick: 2 },
  run: async (seconds) => {
    await using server = await startServe(['--slots', String(slots)])
    let posts = 0
    await using executor = new SandboxExecutor({
      timeoutMs: 60_000,
      onEvent: ({ type }) => {
        if (type === 'post.started') posts += 1
      },
    })
    const [slow, ...others] = executor.slots(server.url, slots)
    // The first call looks at the container's health.
    await executor.execute(slow, 'bash', { command: 'true' })
    posts = 0
    let isSlowOver = false
    const running = executor.execute(slow, 'bash', { command: `sleep ${seconds}` }).then((result) => {
      isSlowOver = true
      return result
    })
    const waits = await Promise.all(
      others.map(async (slot, index) => {
        const command = `sleep 0.${index % 10}; date +%s%N`
        const { output } = await executor.execute(slot, 'bash', { command })
        return Date.now() - Number(output) / 1e6
      }),
    )
    const wasBeside = !isSlowOver
    const { outcome } = await running
    return {
      done: `${others.length} calls of up to 0.9 s beside one of ${seconds} s, in ${posts} POST`,
      figures: [
        below('ms from the end on the server to the result', Math.max(...waits), 100),
        exactly('POSTs', posts, 1),
      ],
      wrongs:
        wasBeside && outcome === 'exited' ? [] : [`The slow call: ${outcome}, over early: ${!wasBeside}`],
    }
  },
}

if (import.meta.main) await runAlone(fastBesideSlow)
