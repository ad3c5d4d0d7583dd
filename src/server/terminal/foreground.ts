/** What the programs in front of a terminal do, as the kernel tells it. */
import { readdirSync, readFileSync, statSync } from 'node:fs'

/**
 * `reading`: one of them waits in a read of the terminal. `busy`: one of them computes, or waits for a disk. `asleep`:
 * none does either: they wait for keys in another way, for time, for a network, for each other.
 */
export type Activity = 'reading' | 'busy' | 'asleep'

/** The current process's terminal, `/dev/tty`. */
const DEV_TTY = 0x500
/** The number of read() on this processor. */
const READ = process.arch === 'arm64' ? '63' : '0'
/** More processes than this are not looked at. */
const MAX_PROCESSES = 512

interface Status {
  readonly state: string
  readonly group: number
  readonly terminal: number
  readonly foregroundGroup: number
}

/** Whether the shell itself is in front, and no program that it runs. `root`: the shell, or the sandbox that it is in. */
export function isShellInFront(root: number, isSandbox: boolean): boolean {
  // A sandbox's monitor has one child, its first process, and that one's first child is the shell.
  const [first] = isSandbox ? childrenOf(root) : []
  const [shell] = isSandbox && first !== undefined ? childrenOf(first) : [root]
  return shell !== undefined && statusOf(`/proc/${shell}`)?.foregroundGroup === shell
}

/** Looks at `root` and all processes below it. */
export function activityBelow(root: number): Activity {
  let activity: Activity = 'asleep'
  for (const pid of processesBelow(root)) {
    const status = statusOf(`/proc/${pid}`)
    if (status === null || status.group !== status.foregroundGroup) continue
    for (const thread of threadsOf(pid)) {
      const state = statusOf(`/proc/${pid}/task/${thread}`)?.state
      if (state === 'R' || state === 'D') return 'busy'
    }
    if (readsTerminal(pid, status.terminal)) activity = 'reading'
  }
  return activity
}

function processesBelow(root: number): readonly number[] {
  const found = [root]
  for (let at = 0; at < found.length && found.length < MAX_PROCESSES; at++) {
    found.push(...childrenOf(found[at] ?? root))
  }
  return found
}

function childrenOf(pid: number): readonly number[] {
  return threadsOf(pid).flatMap((thread) => {
    const children = read(`/proc/${pid}/task/${thread}/children`).trim()
    return children === '' ? [] : children.split(' ').map(Number)
  })
}

function threadsOf(pid: number): readonly string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    // It has ended.
    return []
  }
}

function statusOf(directory: string): Status | null {
  const stat = read(`${directory}/stat`)
  // "pid (name) state ppid pgrp session tty_nr tpgid …", where the name may hold anything.
  const [state, , group, , terminal, foregroundGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (state === undefined || foregroundGroup === undefined) return null
  return {
    state,
    group: Number(group),
    terminal: Number(terminal),
    foregroundGroup: Number(foregroundGroup),
  }
}

function readsTerminal(pid: number, terminal: number): boolean {
  const [call, fd] = read(`/proc/${pid}/syscall`).split(' ')
  if (call !== READ || fd === undefined) return false
  try {
    const { rdev } = statSync(`/proc/${pid}/fd/${Number(fd)}`)
    return rdev === terminal || rdev === DEV_TTY
  } catch {
    return false
  }
}

/** Nothing, when the process has ended, or the kernel does not tell. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}
