/** Runs one command to its end: in a sandbox or without one, within its time, with bounded output. */
import { constants } from 'node:os'
import { describeThrown } from '../../errors.ts'
import { Alarm, type AlarmCause, type CommandSignals, type CommandTime } from './alarm.ts'
import { noOutput, type OutputEnds } from './collect-output.ts'
import type { Place } from './command-line.ts'
import type { ReadyShells, Taken } from './ready-shells.ts'
import type { OnOutput, Shell } from './shell.ts'
import type { ShellEnd } from './shell-process.ts'

export interface CommandRequest extends CommandTime {
  readonly command: string
  /** Whether the command gets the machine's network. */
  readonly network: boolean
  /** What the command reads; missing: its stdin is /dev/null. */
  readonly stdin?: string | undefined
  readonly onOutput?: OnOutput | undefined
}

export type CommandEnd =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'timed-out' | 'stopped' | 'cancelled' }
  /** An infrastructure failure: nothing of the command ran. */
  | { readonly kind: 'not-started'; readonly reason: string }
  /** An infrastructure failure: the sandbox was ended from outside while the command ran. */
  | { readonly kind: 'broken'; readonly reason: string }

export interface CommandOutcome {
  readonly end: CommandEnd
  readonly stdout: OutputEnds
  readonly stderr: OutputEnds
  /** Milliseconds from the hand-over of the command to the death of its processes. */
  readonly durationMs: number
}

/** What must be known of a shell to tell how its command ended. */
export type EndedShell = Pick<Shell, 'hasTaken' | 'isSandbox' | 'failure'>

type Cause = 'ended' | AlarmCause

const signalNumbers: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals))

/** Resolves when every process of the command is dead. Never rejects. */
export async function runCommand(
  shells: ReadyShells,
  place: Place,
  request: CommandRequest,
  signals: CommandSignals,
): Promise<CommandOutcome> {
  using alarm = new Alarm(request, signals)
  const first = await runOnce(shells, place, request, alarm)
  // One that had waited was dead, and nothing of the command ran: another is made for this call.
  return first.hadWaited && first.end.kind === 'not-started' && !alarm.hasRung
    ? await runOnce(shells, place, request, alarm)
    : first
}

async function runOnce(
  shells: ReadyShells,
  place: Place,
  { command, network, stdin, onOutput }: CommandRequest,
  alarm: Alarm,
): Promise<CommandOutcome & { readonly hadWaited: boolean }> {
  let taken: Taken
  try {
    taken = shells.take(place, network, command)
  } catch (thrown) {
    const end = { kind: 'not-started', reason: describeThrown(thrown) } as const
    return { end, stdout: noOutput, stderr: noOutput, durationMs: 0, hadWaited: false }
  }
  const { shell, hadWaited } = taken
  const startedAt = performance.now()
  shell.give(command, { stdin, onOutput, onTaken: () => alarm.begin() })
  const cause = await Promise.race([shell.ended.then(() => 'ended' as const), alarm.rings])
  const shellEnd = await (cause === 'ended' ? shell.ended : shell.kill())
  const durationMs = performance.now() - startedAt
  const end = endOf(cause, shell, shellEnd)
  return {
    end,
    stdout: shell.stdout,
    // What bubblewrap says of its own failure is the reason, not the command's output.
    stderr: end.kind === 'not-started' ? noOutput : shell.stderr,
    durationMs,
    hadWaited,
  }
}

/** A command that timed out has run; this one has not. */
export const notReadyInTime: CommandEnd = { kind: 'not-started', reason: 'it was not ready in time' }

/** How a shell that is gone ended its command. */
export function endOf(cause: Cause, shell: EndedShell, end: ShellEnd): CommandEnd {
  if (cause === 'timed-out' && !shell.hasTaken) return notReadyInTime
  if (cause !== 'ended') return { kind: cause }
  if (!shell.hasTaken) return { kind: 'not-started', reason: shell.failure(end) }
  if (end.signal === null) return { kind: 'exited', exitCode: end.exitCode ?? -1 }
  if (shell.isSandbox) return { kind: 'broken', reason: `bubblewrap was killed by ${end.signal}` }
  return { kind: 'exited', exitCode: 128 + (signalNumbers.get(end.signal) ?? 0) }
}
