/** Ending a command's processes, and knowing that they have ended. */
import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** How long a killed session may take to die; only a process stuck in the kernel takes this long. */
const DEATH_TIMEOUT_MS = 5_000

/** The monitor's child is all that counts; those below it end with it. */
const MAX_MEMBERS = 2

/** A process that goes on making others is not followed for ever. */
const SESSION_TRIES = 100

const SIGINT_BIT = 1n << BigInt(constants.signals.SIGINT - 1)

/** Kills every process of a group. A group that is gone is fine. */
export function killGroup(groupId: number): void {
  killProcess(-groupId)
}

/** Kills one process, if it is there; or interrupts it. */
export function killProcess(pid: number, signal: 'SIGKILL' | 'SIGINT' = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // Nobody is left.
  }
}

/** Kills the processes of a terminal's session, in whatever groups they are; again, until none is left. */
export async function killSession(sessionId: number): Promise<void> {
  for (let tries = 0; tries < SESSION_TRIES; tries++) {
    const members = livingIn(sessionId)
    if (members.length === 0) return
    for (const pid of members) killProcess(pid)
    await Bun.sleep(1)
  }
}

/**
 * Waits until no process of the session is alive. The first process of a sandbox is of its monitor's session, and when
 * it is dead the kernel has already ended all others in there, of whatever session.
 */
export async function waitForSession(sessionId: number): Promise<void> {
  const giveUpAt = performance.now() + DEATH_TIMEOUT_MS
  for (
    let pause = 1;
    livingIn(sessionId).length > 0 && performance.now() < giveUpAt;
    pause = Math.min(pause * 2, 50)
  ) {
    await Bun.sleep(pause)
  }
}

function livingIn(sessionId: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => livingStat(pid)?.session === sessionId).map(Number)
}

/** A process's group; `null`: there is no such process. */
export function groupOf(pid: number): number | null {
  return livingStat(String(pid))?.group ?? null
}

/** "pid (name) state ppid pgrp session …", where the name may hold anything. A zombie is none. */
function livingStat(pid: string): { readonly group: number; readonly session: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state, , group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' || state === 'X' ? null : { group: Number(group), session: Number(session) }
  } catch {
    return null
  }
}

/**
 * The processes of bubblewrap below `pid`: monitors and the first process of the sandbox. To be asked before they are
 * killed, since their children are given to others then.
 */
export function membersOf(pid: number, depth = MAX_MEMBERS): number[] {
  if (depth === 0) return []
  // The eldest: what else is below the first process of a sandbox ends with it, and is for the kernel to count.
  const [child] = childrenOf(pid)
  return child === undefined ? [] : [child, ...membersOf(child, depth - 1)]
}

/** All below `pid`, whichever thread made them; those in `without` are left out, and what is below them. */
export function descendantsOf(pid: number, without: ReadonlySet<number>, depth = Infinity): number[] {
  if (depth === 0) return []
  const children = threadsOf(pid)
    .flatMap((thread) => childrenOf(pid, thread))
    .filter((child) => !without.has(child))
  return children.flatMap((child) => [child, ...descendantsOf(child, without, depth - 1)])
}

export type Disposition = 'ignored' | 'caught' | 'default'

/** What a process does when it is interrupted. Shells make their background jobs ignore it. */
export function onInterrupt(pid: number): Disposition {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'latin1')
    const has = (name: string) => {
      const [, mask = '0'] = new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status) ?? []
      return (BigInt(`0x${mask}`) & SIGINT_BIT) !== 0n
    }
    return has('SigIgn') ? 'ignored' : has('SigCgt') ? 'caught' : 'default'
  } catch {
    return 'default'
  }
}

function threadsOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}

function childrenOf(pid: number, thread = pid): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1').trim()
    return text === '' ? [] : text.split(' ').map(Number)
  } catch {
    return []
  }
}
