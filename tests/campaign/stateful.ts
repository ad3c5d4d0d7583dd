/**
 * Stateful calls with timeouts, exits and kills among them: no mix-up of outputs, no hang, no leftover process, and every
 * replaced shell announced.
 *
 *     bun tests/campaign/stateful.ts [calls] [seed]        1,000 in 8 slots by default
 */
import { createSandbox } from '../../src/server/sandbox.ts'
import { runStatefulCalls } from '../server/stateful-calls.ts'
import { processesWith, slotWorkspace } from '../server/support.ts'

const calls = Number(process.argv[2] ?? 1_000)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const slots = 8
/** Two seconds to obey and be killed, and as much for a machine that is busy. */
const LONGEST_OVER = 4
const marker = `marker-${crypto.randomUUID()}`
const sandbox = await createSandbox({ slots })
const workspaces = await Promise.all(Array.from({ length: slots }, (_, at) => slotWorkspace(sandbox, at)))
const startedAt = performance.now()
const report = await runStatefulCalls(sandbox, { slots, calls, seed, marker })
const seconds = (performance.now() - startedAt) / 1000
await sandbox.stop()
const left = [marker, ...workspaces].flatMap(processesWith)
const { kinds, lost, restarted, kept, longestOver, faults } = report
console.log(`seed ${seed}: ${calls} calls in ${seconds.toFixed(1)} s: ${JSON.stringify(kinds)}`)
console.log(`${lost} ended shells told, ${restarted} fresh ones told, ${kept} kept after a timeout`)
console.log(
  `longest time beyond a timeout ${longestOver.toFixed(2)} s, ${left.length} processes left, ${faults.length} faults`,
)
for (const fault of faults.slice(0, 20)) console.log(fault)
if (faults.length + left.length > 0 || longestOver > LONGEST_OVER) process.exitCode = 1
