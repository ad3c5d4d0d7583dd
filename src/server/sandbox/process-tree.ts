/** Ending a command's processes, and knowing that they have ended. */
import { readFileSync } from 'node:fs'

/** How long a killed sandbox may take to die; only a process stuck in the kernel takes this long. */
const DEATH_TIMEOUT_MS = 5_000

/** Kills every process of a group. A group that is gone is fine. */
export function killGroup(groupId: number): void {
  try {
    process.kill(-groupId, 'SIGKILL')
  } catch {
    // Nobody is left.
  }
}

/**
 * Waits until `pid` is dead: gone, or a zombie. When the first process of a pid namespace is that, the kernel has
 * already ended all others in it. `groupId` guards against a reused pid.
 */
export async function waitForDeath(pid: number, groupId: number): Promise<void> {
  const giveUpAt = performance.now() + DEATH_TIMEOUT_MS
  for (
    let pause = 1;
    isAlive(pid, groupId) && performance.now() < giveUpAt;
    pause = Math.min(pause * 2, 50)
  ) {
    await Bun.sleep(pause)
  }
}

function isAlive(pid: number, groupId: number): boolean {
  try {
    // "pid (name) state ppid pgrp …", where the name may hold anything.
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state !== 'Z' && state !== 'X' && group === String(groupId)
  } catch {
    return false
  }
}
