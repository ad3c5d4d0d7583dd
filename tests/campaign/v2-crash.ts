/**
 * Promise 4: kill -9 of the server in mid-batch and a restart with the same data, again and again: nothing runs twice,
 * what was told is replayed as it was, what has begun and not ended is `interrupted`, no process is left.
 * `bun tests/campaign/v2-crash.ts [kills]`
 *
 * The witness is a file in each workspace, to which every command appends its id: the ledger is not asked about itself.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import type { ExecutionResponseBody } from '../../src/protocol/execution.ts'
import { startSandboxServer } from '../../src/server/start-server.ts'
import { hasBubblewrap } from '../server/support.ts'
import { command, linesOf, postV2, type Served } from '../server/v2-support.ts'
import { type Check, exactly, runAlone } from './check.ts'
import { left } from './sandbox-crash.ts'

const SLOTS = 4
const CALLS_PER_SLOT = 6
const SPREAD_MS = 160

export interface CrashTally {
  readonly kills: number
  readonly calls: number
  readonly replayed: number
  readonly interrupted: number
  /** Nothing was known of them after the restart: they ran then. */
  readonly anew: number
  /** What breaks the promise, a sentence each. */
  readonly violations: readonly string[]
}

/** The server that is killed. */
async function victim(dataDir: string): Promise<void> {
  const isolation = hasBubblewrap ? 'bubblewrap' : 'none'
  const server = await startSandboxServer({ slots: SLOTS, dataDir, isolation })
  console.log(JSON.stringify({ url: server.url }))
}

async function startVictim(dataDir: string) {
  const argv = [process.execPath, import.meta.path, 'victim', dataDir]
  const child = Bun.spawn(argv, { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' })
  const { value } = await child.stdout.getReader().read()
  const { url } = v.parse(v.object({ url: v.string() }), JSON.parse(new TextDecoder().decode(value)))
  const served: Served = { handler: fetch, url }
  const kill = async () => {
    child.kill('SIGKILL')
    await child.exited
  }
  return { served, kill }
}

function batchOf(round: number) {
  return Array.from({ length: SLOTS * CALLS_PER_SLOT }, (_, at) => {
    const id = `k${round}-${at}`
    // Some end at once, some are in the middle of something.
    const then = at % 3 === 0 ? 'sleep 0.03' : 'echo $RANDOM'
    return command(id, `echo ${id} >> witness; ${then}`, { slot_id: `slot_${at % SLOTS}` })
  })
}

/** The results that came, until the end or the cut. */
async function resultsUntilCut(response: Promise<Response>): Promise<Map<string, ExecutionResponseBody>> {
  const results = new Map<string, ExecutionResponseBody>()
  try {
    for await (const line of linesOf(await response)) {
      if (line.kind === 'result') results.set(line.value.execution_id ?? '', line.value)
    }
  } catch {
    // The server was killed.
  }
  return results
}

function witnessed(dataDir: string): Map<string, number> {
  const counts = new Map<string, number>()
  for (let slot = 0; slot < SLOTS; slot++) {
    const file = Bun.file(join(dataDir, `slot_${slot}`, 'witness'))
    const lines = file.size === 0 ? [] : readFileSync(file.name ?? '', 'latin1').split('\n')
    for (const id of lines.filter(Boolean)) counts.set(id, (counts.get(id) ?? 0) + 1)
  }
  return counts
}

function judge(
  id: string,
  runs: number,
  told: ExecutionResponseBody | undefined,
  after: ExecutionResponseBody | undefined,
): string[] {
  if (after === undefined) return [`${id} has no result`]
  if (runs > 1) return [`${id} ran ${runs} times`]
  if (after.code === undefined && runs === 0) return [`${id} has a result and did not run`]
  if (after.code !== undefined && after.code !== 'interrupted') return [`${id} ended with ${after.code}`]
  if (told !== undefined && after.code !== undefined) return [`${id} was told, and is ${after.code} now`]
  if (told !== undefined && told.output !== after.output) return [`${id} was told as another`]
  return []
}

export async function crashes(kills: number): Promise<CrashTally> {
  const dataDir = mkdtempSync(join(tmpdir(), 'v2-crash-'))
  const violations: string[] = []
  let [replayed, interrupted, anew] = [0, 0, 0]
  let server = await startVictim(dataDir)
  try {
    for (let kill = 0; kill < kills; kill++) {
      const items = batchOf(kill)
      const told = resultsUntilCut(postV2(server.served, '/v2/batch', items))
      await Bun.sleep((kill / kills) * SPREAD_MS)
      await server.kill()
      const before = await told
      // Before the next server starts: it would end what it finds.
      await Bun.sleep(1_000)
      violations.push(...left(dataDir).map((line) => `left alive after kill ${kill}: ${line}`))
      server = await startVictim(dataDir)
      const after = await resultsUntilCut(postV2(server.served, '/v2/batch', items))
      const runs = witnessed(dataDir)
      for (const { execution_id: id } of items) {
        const result = after.get(id)
        violations.push(...judge(id, runs.get(id) ?? 0, before.get(id), result))
        if (result?.code === 'interrupted') interrupted += 1
        else if (result?.metadata.replayed === true) replayed += 1
        else anew += 1
      }
    }
  } finally {
    await server.kill()
    rmSync(dataDir, { recursive: true, force: true })
  }
  return { kills, calls: kills * SLOTS * CALLS_PER_SLOT, replayed, interrupted, anew, violations }
}

export const v2Crash: Check = {
  name: 'v2-crash',
  row: '4',
  unit: 'kills',
  sizes: { full: 100, quick: 4 },
  run: async (kills) => {
    const { calls, replayed, interrupted, anew, violations } = await crashes(kills)
    const ofKind = (pattern: RegExp) => violations.filter((violation) => pattern.test(violation)).length
    return {
      done: `${kills} times kill -9 in mid-batch and a restart, ${calls} calls: ${replayed} replayed, ${interrupted} interrupted, ${anew} first run after it`,
      figures: [
        exactly('ran twice', ofKind(/ ran \d+ times/), 0),
        exactly('processes left after 1 s', ofKind(/^left alive/), 0),
        exactly('told untruly, in all', violations.length, 0),
        exactly('calls accounted for', replayed + interrupted + anew, calls),
      ],
      wrongs: [...violations],
    }
  },
}

if (import.meta.main) {
  const [first, dataDir = ''] = process.argv.slice(2)
  if (first === 'victim') await victim(dataDir)
  else await runAlone(v2Crash)
}
