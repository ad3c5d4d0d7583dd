/** Making a long-lived shell drop the command that it is at, so that it can be kept. */
import { settlesWithin } from '../sandbox/alarm.ts'
import { descendantsOf, groupOf, killProcess, onInterrupt } from '../sandbox/process-tree.ts'

/** How long an interrupted command may take to end before what it started is killed. */
const OBEY_MS = 1_000
/** How long the shell may take then. */
const KILLED_MS = 1_500
/** Between an interrupt and a question, and between a question and an interrupt. */
const PAUSE_MS = 25
const LAST_QUESTIONS = 5
const LAST_QUESTION_MS = 200

export interface ShellPids {
  readonly shell: number
  /** The first process of the sandbox, to which orphans are given. */
  readonly first: number | null
}

/** What runs beside the shell; processes in `without` are left out, and what is below them. */
export function processesBeside({ first, shell }: ShellPids, without: ReadonlySet<number>): number[] {
  const orphans = first === null ? [] : descendantsOf(first, new Set([...without, shell]))
  return [...descendantsOf(shell, without), ...orphans]
}

/**
 * Interrupts the shell's command as Ctrl-C does, then kills what it started; processes in `older` are spared. `answered`
 * resolves when the shell has reported, or ended; `ask` asks it to. Resolves to whether it waits for a command.
 */
export async function interrupt(
  pids: ShellPids,
  older: ReadonlySet<number>,
  { answered, ask }: { readonly answered: Promise<unknown>; readonly ask: () => Promise<unknown> },
): Promise<boolean> {
  const told = new Set<number>()
  const startedAt = performance.now()
  let answer = answered
  for (let passed = 0; passed < OBEY_MS + KILLED_MS; passed = performance.now() - startedAt) {
    if (passed === 0) interruptGroup(pids, older, told)
    // Again and again: when what it waits for catches its interrupt and ends, the shell goes on with its list.
    else killProcess(pids.shell, 'SIGINT')
    if (passed >= OBEY_MS) killAll(processesBeside(pids, older))
    else for (const pid of processesBeside(pids, older)) tell(pid, told)
    if (await settlesWithin(answer, PAUSE_MS)) return await isWaiting(pids, older, ask)
    // What was sent may have been lost in an interrupt.
    answer = Promise.race([answer, ask()])
    if (await settlesWithin(answer, PAUSE_MS)) return await isWaiting(pids, older, ask)
  }
  return false
}

/**
 * All of a pipeline at once: one that ends, since the one before it has been interrupted, ends well, and the shell goes
 * on with its list. Background jobs ignore it.
 */
function interruptGroup(pids: ShellPids, older: ReadonlySet<number>, told: Set<number>): void {
  const members = processesBeside(pids, older).filter((pid) => groupOf(pid) === pids.shell)
  killProcess(-pids.shell, 'SIGINT')
  for (const pid of members) told.add(pid)
}

/**
 * Once: a program that is interrupted twice leaves its work undone. But one that is about to become another program
 * forgets it.
 */
function tell(pid: number, told: Set<number>): void {
  if (!told.has(pid) || onInterrupt(pid) === 'default') killProcess(pid, 'SIGINT')
  told.add(pid)
}

function killAll(pids: readonly number[]): void {
  for (const pid of pids) killProcess(pid)
}

/**
 * The last interrupt may have come after the answer, and cut the next line that the shell reads: then another interrupt
 * makes it forget what it has read.
 */
async function isWaiting(
  pids: ShellPids,
  older: ReadonlySet<number>,
  ask: () => Promise<unknown>,
): Promise<boolean> {
  // A pipeline that was interrupted while it was made leaves processes that the shell would wait for later.
  killAll(descendantsOf(pids.shell, older, 1).filter((pid) => onInterrupt(pid) !== 'ignored'))
  for (let times = 0; times < LAST_QUESTIONS; times++) {
    if (await settlesWithin(ask(), LAST_QUESTION_MS)) return true
    killProcess(pids.shell, 'SIGINT')
    await Bun.sleep(PAUSE_MS)
  }
  return false
}
