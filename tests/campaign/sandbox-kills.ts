/**
 * Promise 10: timeouts at 0–12 ms and later, of commands that hide: sessions of their own, double forks. Nothing may be
 * left, and the slot is usable. `bun tests/campaign/sandbox-kills.ts [kills]`
 */
import { createSandbox } from '../../src/server/sandbox.ts'
import { bash, processesWith, slotWorkspace } from '../server/support.ts'
import { type Check, exactly, runAlone } from './check.ts'

const slots = 8

export const sandboxKills: Check = {
  name: 'sandbox-kills',
  row: '10',
  unit: 'kills',
  sizes: { full: 500, quick: 60 },
  run: async (kills) => {
    const sandbox = await createSandbox({ slots })
    const workspaces = await Promise.all(Array.from({ length: slots }, (_, at) => slotWorkspace(sandbox, at)))
    const marker = `marker-${crypto.randomUUID()}`
    const command = `export M=${marker}; (setsid sh -c 'sleep 60 & sleep 60' > /dev/null 2>&1 &); setsid sleep 60 & sleep 60`
    let [killed, timedOut, unusable] = [0, 0, 0]

    const killIn = async (slot: number) => {
      const slot_id = `slot_${slot}`
      while (killed < kills) {
        // Half of them while sandbox and command begin, the others at any moment up to 0.2 s.
        const ms = killed++ % 2 === 0 ? Math.random() * 12 : Math.random() * 200
        const { metadata } = await bash(sandbox, command, { slot_id, timeout: Math.max(ms, 0.1) / 1000 })
        if (metadata.timeout === true) timedOut += 1
        if (killed % 10 === 0 && (await bash(sandbox, 'echo usable', { slot_id })).output !== 'usable')
          unusable += 1
      }
    }

    await Promise.all(workspaces.map((_, slot) => killIn(slot)))
    await Bun.sleep(1_000)
    const survivors = processesWith(marker)
    await sandbox.stop()
    await Bun.sleep(1_000)
    const left = workspaces.flatMap(processesWith)
    return {
      done: `${killed} timeouts at 0–200 ms, of commands with setsid and double forks`,
      figures: [
        exactly('told as timed out', timedOut, killed),
        exactly('survivors after 1 s', survivors.length, 0),
        exactly('slots unusable', unusable, 0),
        exactly('processes left after the end', left.length, 0),
      ],
      wrongs: [],
    }
  },
}

if (import.meta.main) await runAlone(sandboxKills)
