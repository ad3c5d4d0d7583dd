/** The long-lived shell of a slot: made by its first command, made anew when it has ended, and that is told. */
import { describeThrown } from '../../errors.ts'
import { Alarm, type CommandSignals } from '../sandbox/alarm.ts'
import { noOutput } from '../sandbox/collect-output.ts'
import type { Place } from '../sandbox/command-line.ts'
import type { Isolation } from '../sandbox/isolation.ts'
import type { CommandOutcome, CommandRequest } from '../sandbox/run-command.ts'
import type { Session } from '../sessions.ts'
import { InteractiveShell } from './interactive-shell.ts'

export interface StatefulOutcome extends CommandOutcome {
  /** An earlier shell has ended, with all its state, and this command is the first to be told by being in a new one. */
  readonly isRestarted: boolean
  /** The shell ended with this command: its state is gone. */
  readonly isLost: boolean
}

export class StatefulShell implements Session {
  readonly #isolation: Isolation
  readonly #place: Place
  #shell: InteractiveShell | null = null
  /** Whether it has been given a command. */
  #isUsed = false
  /** A shell with state has ended, and no command in a new one has told it yet. */
  #wasLost = false

  constructor(isolation: Isolation, place: Place) {
    this.#isolation = isolation
    this.#place = place
  }

  /** Whether the shell has the network; `null`: there is no shell. */
  get network(): boolean | null {
    return this.#living()?.network ?? null
  }

  /** Never rejects. One at a time. */
  async run(request: CommandRequest, signals: CommandSignals): Promise<StatefulOutcome> {
    using alarm = new Alarm(request, signals)
    const isOld = this.#living() !== null
    const outcome = await this.#runOnce(request, alarm)
    // The old one died before it took the command.
    const isToRetry = isOld && outcome.end.kind === 'not-started' && !alarm.hasRung
    return isToRetry ? await this.#runOnce(request, alarm) : outcome
  }

  async #runOnce({ command, network }: CommandRequest, alarm: Alarm): Promise<StatefulOutcome> {
    const isolation = this.#isolation
    const place = this.#place
    let shell = this.#living()
    const wasLost = this.#wasLost
    try {
      shell ??= new InteractiveShell({ isolation, place, network })
    } catch (thrown) {
      const end = { kind: 'not-started', reason: describeThrown(thrown) } as const
      return { end, stdout: noOutput, stderr: noOutput, durationMs: 0, isRestarted: false, isLost: false }
    }
    this.#shell = shell
    const outcome = await shell.run(command, alarm)
    if (outcome.hasTaken) {
      this.#isUsed = true
      this.#wasLost = false
    }
    const isLost = this.#living() === null && outcome.hasTaken
    return { ...outcome, isRestarted: wasLost && outcome.hasTaken, isLost }
  }

  /** The shell, if it lives; if not, what it knew is noted as lost. */
  #living(): InteractiveShell | null {
    if (this.#shell?.isAlive === false) {
      this.#wasLost ||= this.#isUsed
      this.#isUsed = false
      this.#shell = null
    }
    return this.#shell
  }

  async end(): Promise<void> {
    await this.#shell?.kill()
  }
}
