/** Making a long-lived shell drop the command that it is at, so that it can be kept. */
import { settlesWithin } from './alarm.ts'
import { descendantsOf, killProcess } from './process-tree.ts'

/** How long an interrupted command may take to end before what it started is killed. */
const OBEY_MS = 1_000
/** How long the shell may take then. */
const KILLED_MS = 500
const MAX_PAUSE_MS = 8
/** A question can get lost in an interrupt: so often it is asked again. */
const ASK_AGAIN_MS = 50
const LAST_QUESTIONS = 5
const LAST_QUESTION_MS = 100

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
 * Interrupts the shell's command as Ctrl-C does, then kills what it started; processes in `older` are spared. `ask`
 * asks the shell to say that it waits for a command, and resolves when it says so, or has ended. Resolves to whether it
 * waits, and nothing of all this is on its way to it.
 */
export async function interrupt(
  pids: ShellPids,
  older: ReadonlySet<number>,
  ask: () => Promise<void>,
): Promise<boolean> {
  const startedAt = performance.now()
  const told = new Set(older)
  let answer = ask()
  let askedAt = startedAt
  let pause = 1
  for (let passed = 0; passed < OBEY_MS + KILLED_MS; passed = performance.now() - startedAt) {
    // Again and again: when the command catches its interrupt and ends, the shell goes on with the next of its list.
    killProcess(pids.shell, 'SIGINT')
    if (passed < OBEY_MS) {
      for (const pid of processesBeside(pids, told)) {
        killProcess(pid, 'SIGINT')
        told.add(pid)
      }
    } else for (const pid of processesBeside(pids, older)) killProcess(pid)
    if (await settlesWithin(answer, pause)) return await answers(ask)
    pause = Math.min(pause * 2, MAX_PAUSE_MS)
    if (performance.now() - askedAt > ASK_AGAIN_MS) {
      answer = Promise.race([answer, ask()])
      askedAt = performance.now()
    }
  }
  return false
}

/** The last interrupt may have come after the answer, and eat the next question. */
async function answers(ask: () => Promise<void>): Promise<boolean> {
  for (let times = 0; times < LAST_QUESTIONS; times++) {
    if (await settlesWithin(ask(), LAST_QUESTION_MS)) return true
  }
  return false
}
