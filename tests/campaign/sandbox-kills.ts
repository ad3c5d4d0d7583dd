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
  needs: 'bubblewrap',
  run: async (kills) => {
    const ends: Ends[] = []
    for (const [at, maxWaiting] of ways.entries()) {
      ends.push(await killMany(Math.floor((kills + at) / ways.length), maxWaiting))
    }
    const sum = (key: keyof Ends) => ends.reduce((total, one) => total + one[key], 0)
    return {
      done: `${kills} timeouts at 0–200 ms, of commands with setsid and double forks, half in sandboxes of holders, half programs without a shell`,
      figures: [
        exactly('told as timed out', sum('timedOut'), kills),
        exactly('survivors after 1 s', sum('survivors'), 0),
        exactly('slots unusable', sum('unusable'), 0),
        exactly('processes left after the end', sum('left'), 0),
      ],
      wrongs: [],
    }
  },
}

/** How many sandboxes may wait: all, which holders make; none: each is bubblewrap's. */
const ways = [slots, 0]

interface Ends {
  readonly timedOut: number
  readonly unusable: number
  readonly survivors: number
  readonly left: number
}

async function killMany(kills: number, maxWaiting: number): Promise<Ends> {
  const sandbox = await createSandbox({ slots }, { ready: { maxWaiting, idleMs: 30_000 } })
  const workspaces = await Promise.all(Array.from({ length: slots }, (_, at) => slotWorkspace(sandbox, at)))
  const marker = `marker-${crypto.randomUUID()}`
  const hides = '(setsid sh -c "sleep 60 & sleep 60" > /dev/null 2>&1 &); setsid sleep 60 & sleep 60'
  const commands = [`export M=${marker}; ${hides}`, `env M=${marker} sh -c '${hides}'`] as const
  let [killed, timedOut, unusable] = [0, 0, 0]

  const killIn = async (slot: number) => {
    const slot_id = `slot_${slot}`
    while (killed < kills) {
      // Half of them while sandbox and command begin, the others at any moment up to 0.2 s.
      const ms = killed++ % 2 === 0 ? Math.random() * 12 : Math.random() * 200
      const command = commands[killed % 4 < 2 ? 0 : 1]
      const { metadata } = await bash(sandbox, command, { slot_id, timeout: Math.max(ms, 0.1) / 1000 })
      if (metadata.timeout === true) timedOut += 1
      if (killed % 10 === 0 && (await bash(sandbox, 'echo usable', { slot_id })).output !== 'usable')
        unusable += 1
    }
  }

  await Promise.all(workspaces.map((_, slot) => killIn(slot)))
  await Bun.sleep(1_000)
  const survivors = processesWith(marker).length
  await sandbox.stop()
  await Bun.sleep(1_000)
  const left = workspaces.flatMap(processesWith).length
  return { timedOut, unusable, survivors, left }
}

if (import.meta.main) await runAlone(sandboxKills)
