/**
 * Timeouts at 0–12 ms and later, of commands that hide: sessions of their own, double forks. Nothing may be left, and
 * the slot is usable.
 *
 *     bun tests/campaign/sandbox-kills.ts [kills]        500 by default
 */
import { createSandbox } from '../../src/server/sandbox.ts'
import { bash, processesWith, slotWorkspace } from '../server/support.ts'

const kills = Number(process.argv[2] ?? 500)
const slots = 8
const sandbox = await createSandbox({ slots })
const workspaces = await Promise.all(Array.from({ length: slots }, (_, at) => slotWorkspace(sandbox, at)))
const marker = `marker-${crypto.randomUUID()}`
const command = `export M=${marker}; (setsid sh -c 'sleep 60 & sleep 60' > /dev/null 2>&1 &); setsid sleep 60 & sleep 60`
let killed = 0
let unusable = 0

async function killIn(slot: number): Promise<void> {
  const slot_id = `slot_${slot}`
  while (killed < kills) {
    // Half of them while sandbox and command begin, the others at any moment up to 0.2 s.
    const ms = killed++ % 2 === 0 ? Math.random() * 12 : Math.random() * 200
    await bash(sandbox, command, { slot_id, timeout: Math.max(ms, 0.1) / 1000 })
    if (killed % 10 === 0 && (await bash(sandbox, 'echo usable', { slot_id })).output !== 'usable')
      unusable += 1
  }
}

await Promise.all(workspaces.map((_, slot) => killIn(slot)))
const survivors = processesWith(marker)
await sandbox.stop()
await Bun.sleep(1_000)
const left = workspaces.flatMap(processesWith)
console.log(
  `${killed} kills: ${survivors.length} survivors, ${unusable} slots unusable, ${left.length} processes left`,
)
if (survivors.length + unusable + left.length > 0) process.exitCode = 1
