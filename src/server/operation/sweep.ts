/** What a server that was killed left behind: its processes, known by the mark of its run, and its temporary directory. */
import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LockHolder, lockCrashed } from '../data-lock.ts'
import { killProcess } from '../sandbox/process-tree.ts'

/** In the environment of every process that a server starts for a call; a sandbox clears it for what runs inside. */
export const runVariable = 'SANDBOX_SLOTS_RUN'

/** The name of a temporary data directory begins so. */
export const temporaryPrefix = 'sandbox-slots-'

/** What was done about one server that was killed. */
export interface Swept {
  readonly directory: string
  readonly pid: number
  /** How many processes. */
  readonly killed: number
}

/** Processes that are forked while others are killed are found in the next round. */
const MAX_ROUNDS = 20
const PAUSE_MS = 10

/**
 * Kills what an earlier server left. A process is known by the run's UUID in its environment, looked at in the moment
 * before it is killed: process ids alone say nothing, they are used again.
 */
export async function killOrphans({ run }: LockHolder): Promise<number> {
  const killed = new Set<number>()
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const found = killMarked(run)
    if (found.length === 0) break
    for (const pid of found) killed.add(pid)
    await Bun.sleep(PAUSE_MS)
  }
  return killed.size
}

function killMarked(run: string): number[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid || !isMarked(pid, run)) return []
    killProcess(pid)
    return [pid]
  })
}

function isMarked(pid: number, run: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(`${runVariable}=${run}`)
  } catch {
    // It has gone, or is another user's: then it is not ours.
    return false
  }
}

/** Temporary data directories of servers that were killed: their processes are killed, `remove` removes the rest. */
export async function sweepTemporary(
  remove: (directory: string, release: () => void) => Promise<void>,
): Promise<Swept[]> {
  const swept: Swept[] = []
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(temporaryPrefix)) continue
    const directory = join(tmpdir(), name)
    const lock = isOwnDirectory(directory) ? lockCrashed(directory) : null
    if (lock === null) continue
    const killed = await killOrphans(lock.earlier)
    // What cannot be removed keeps its lock, and is tried again when this server has ended.
    await remove(directory, lock.release).catch(() => {})
    swept.push({ directory, pid: lock.earlier.pid, killed })
  }
  return swept
}

/** Everybody may write to the directory for temporary files. */
function isOwnDirectory(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats?.isDirectory() === true && stats.uid === process.geteuid?.()
}
