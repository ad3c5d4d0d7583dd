/**
 * Promise 10: cancellations and hang-ups at 0–12 ms and later, of commands that hide in sessions of their own. When
 * /cancel has answered nothing may be left of a call; after a hang-up and its grace neither; and the slot is usable.
 * `bun tests/campaign/v2-cancels.ts [ends]`
 */
import { createSandbox } from '../../src/server/sandbox.ts'
import { bash, processesWith } from '../server/support.ts'
import { batch, cancel, command, postV2, resultsOf } from '../server/v2-support.ts'
import { type Check, exactly, runAlone } from './check.ts'

const SLOTS = 8
const GRACE_MS = 20

export interface CancelTally {
  readonly cancelled: number
  readonly hungUp: number
  /** They had ended before, or never begun. */
  readonly otherwise: number
  readonly violations: readonly string[]
}

export async function cancels(ends: number): Promise<CancelTally> {
  const sandbox = await createSandbox({ slots: SLOTS }, { extended: { detachGraceMs: GRACE_MS } })
  const violations: string[] = []
  let [started, cancelled, hungUp, otherwise] = [0, 0, 0, 0]

  const endOne = async (slot_id: string, index: number) => {
    const id = `c-${crypto.randomUUID()}`
    const hides = `(setsid sh -c 'sleep 60 & sleep 60' > /dev/null 2>&1 &); setsid sleep 60 & sleep 60`
    const call = command(id, `export M=${id}; ${hides}`, { slot_id })
    const client = new AbortController()
    const response = postV2(sandbox, '/v2/batch', [call], { signal: client.signal })
    // Half of them while sandbox and command begin, the others at any moment up to 0.2 s.
    await Bun.sleep(index % 2 === 0 ? Math.random() * 12 : Math.random() * 200)
    if (index % 4 < 2) {
      const lists = await cancel(sandbox, [id])
      const survivors = processesWith(id)
      if (survivors.length > 0) violations.push(`${id} lives after /cancel: ${survivors}`)
      const [result] = await resultsOf(await response)
      if (result?.metadata.cancelled === true && lists.cancelled.includes(id)) cancelled += 1
      else violations.push(`${id} was not cancelled: ${JSON.stringify([lists, result])}`)
    } else {
      client.abort()
      await response
      // Its slot is free when all of it has ended.
      await bash(sandbox, 'true', { slot_id })
      const survivors = processesWith(id)
      if (survivors.length > 0) violations.push(`${id} lives after its grace: ${survivors}`)
      const [again] = await batch(sandbox, [call])
      if (again?.metadata.cancelled === true) hungUp += 1
      else otherwise += 1
    }
    if (index % 10 === 0 && (await bash(sandbox, 'echo usable', { slot_id })).output !== 'usable') {
      violations.push(`${slot_id} is not usable`)
    }
  }

  await Promise.all(
    Array.from({ length: SLOTS }, async (_, slot) => {
      while (started < ends) await endOne(`slot_${slot}`, started++)
    }),
  )
  await sandbox.stop()
  return { cancelled, hungUp, otherwise, violations }
}

export const v2Cancels: Check = {
  name: 'v2-cancels',
  row: '10',
  unit: 'ends',
  sizes: { full: 500, quick: 60 },
  needs: 'bubblewrap',
  run: async (ends) => {
    const { cancelled, hungUp, otherwise, violations } = await cancels(ends)
    const survivors = violations.filter((violation) => violation.includes(' lives after ')).length
    return {
      done: `${cancelled} cancellations and ${hungUp} hang-ups at 0–200 ms`,
      figures: [
        exactly('ended by it', cancelled + hungUp, ends),
        exactly('survivors', survivors, 0),
        exactly('otherwise', otherwise + violations.length - survivors, 0),
      ],
      wrongs: [...violations],
    }
  },
}

if (import.meta.main) await runAlone(v2Cancels)
