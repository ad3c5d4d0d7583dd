/** One long-lived bash, in a sandbox of its own or without one: given one command after the other. */
import { closeSync } from 'node:fs'
import { native } from '../native.ts'
import { type Alarm, type AlarmCause, settlesWithin } from '../sandbox/alarm.ts'
import {
  noOutput,
  type OutputEnds,
  type Reading,
  readFd,
  withoutLastNewlines,
} from '../sandbox/collect-output.ts'
import { membersOf } from '../sandbox/process-tree.ts'
import { type CommandEnd, type CommandOutcome, endOf, notReadyInTime } from '../sandbox/run-command.ts'
import { failureOf, openOutputPipe, type ShellKind, ShellProcess } from '../sandbox/shell-process.ts'
import {
  callLines,
  interactiveScript,
  openingLine,
  parseReport,
  reportLine,
  type Status,
} from './interactive.ts'
import { interrupt, processesBeside, type ShellPids } from './interrupt.ts'
import { SyncedOutput } from './synced-output.ts'
import { writeBytes } from './write-bytes.ts'

/** A report is shorter; a longer line is somebody's noise. */
const MAX_LINE = 1_000
/** How long a shell that has ended is listened to: all it said is there to be read, and nobody else has its socket. */
const LAST_WORDS_MS = 2_000
/** The exit code of a command line that was interrupted. */
const INTERRUPTED = 130

export type InteractiveKind = Omit<ShellKind, 'script'>

export interface InteractiveOutcome extends CommandOutcome {
  /** The command got as far as the shell. */
  readonly hasTaken: boolean
}

type Cause = 'done' | 'ended' | AlarmCause

/** What was sent to the shell, and what it told. */
interface Exchange {
  readonly nonce: string
  hasTaken: boolean
  status: Status | null
  readonly answered: PromiseWithResolvers<void>
}

export class InteractiveShell {
  readonly network: boolean
  readonly #process: ShellProcess
  readonly #stdout: SyncedOutput
  readonly #stderr: SyncedOutput
  readonly #socket: number
  readonly #reading: Reading
  readonly #decoder = new TextDecoder()
  #pids: ShellPids | null = null
  #line = ''
  #sending: Promise<void> = Promise.resolve()
  /** Those whose reports are believed, by their nonce. */
  readonly #exchanges = new Map<string, Exchange>()
  /** The last one that a command was sent with; at first, the greeting. */
  #exchange = this.#open()
  #status: Status = { exitCode: 0, options: '' }
  #isAlive = true
  #isRunning = false
  #isClosed = false

  /** Throws when nothing can be spawned. */
  constructor(kind: InteractiveKind, readSocket = readFd) {
    const { process, socket, stdout, stderr } = spawn(kind)
    this.network = kind.network
    this.#process = process
    this.#stdout = stdout
    this.#stderr = stderr
    this.#socket = socket
    this.#reading = readSocket(socket, (chunk) => this.#read(chunk))
    void process.ended.then(() => {
      this.#isAlive = false
      if (!this.#isRunning) this.#close()
    })
    this.#send(openingLine(this.#exchange.nonce))
  }

  /** Whether it can be given a command. */
  get isAlive(): boolean {
    return this.#isAlive
  }

  /**
   * Runs one command. A command that is ended before its time is interrupted, then what it started is killed; when the
   * shell does not come back even so, it is killed with all that is in it, and then it is not alive any more.
   */
  async run(command: string, alarm: Alarm): Promise<InteractiveOutcome> {
    this.#isRunning = true
    const startedAt = performance.now()
    const { cause, isBack } = await this.#give(command, alarm)
    const outcome = await this.#outcome(cause, isBack)
    this.#isRunning = false
    if (!this.#isAlive) this.#close()
    return { ...outcome, durationMs: performance.now() - startedAt }
  }

  /** Kills every process of it; resolves when they are dead. */
  async kill(): Promise<void> {
    await this.#process.kill()
  }

  async #give(command: string, alarm: Alarm): Promise<{ readonly cause: Cause; readonly isBack: boolean }> {
    const early = await this.#firstOf(alarm)
    if (early !== 'done') return { cause: early, isBack: false }
    this.#pids ??= this.#findPids()
    const pids = this.#pids
    if (pids === null) {
      await this.#process.kill()
      return { cause: 'ended', isBack: false }
    }
    const older = new Set(processesBeside(pids, new Set()))
    // A program that made them not block left them so.
    this.#stdout.unblock()
    this.#stderr.unblock()
    this.#exchanges.clear()
    this.#exchange = this.#open()
    alarm.begin()
    this.#send(callLines(this.#exchange.nonce, command, this.#status))
    const cause = await this.#firstOf(alarm)
    const isToObey = cause === 'timed-out' || cause === 'cancelled'
    const isBack = isToObey
      ? await interrupt(pids, older, { answered: this.#isAnswered(this.#exchange), ask: () => this.#ask() })
      : cause === 'done'
    return { cause, isBack: isBack && this.#isAlive }
  }

  #firstOf(alarm: Alarm): Promise<Cause> {
    return Promise.race([
      this.#exchange.answered.promise.then(() => 'done' as const),
      this.#process.ended.then(() => 'ended' as const),
      alarm.rings,
    ])
  }

  /** Resolves when it waits for a command, or has ended. */
  async #ask(): Promise<void> {
    const question = this.#open()
    this.#send(reportLine(question.nonce))
    await this.#isAnswered(question)
    // The command's own report may have been lost in the interrupt.
    this.#exchange.status ??= question.status
  }

  #isAnswered({ answered }: Exchange): Promise<unknown> {
    return Promise.race([answered.promise, this.#process.ended])
  }

  async #outcome(cause: Cause, isBack: boolean): Promise<Omit<InteractiveOutcome, 'durationMs'>> {
    if (!isBack && this.#isAlive) await (cause === 'ended' ? this.#process.ended : this.#process.kill())
    // Its death may be known before what it said last: that it took its command, and how that ended.
    if (!this.#isAlive) await settlesWithin(this.#reading.ended, LAST_WORDS_MS)
    const [stdout, stderr] = await Promise.all([this.#stdout.take(), this.#stderr.take()])
    const { hasTaken, status } = this.#exchange
    if (stdout === null || stderr === null) {
      if (this.#isAlive) await this.#process.kill()
      const end = { kind: 'broken', reason: 'something in it took away what the command printed' } as const
      return { end, stdout: noOutput, stderr: noOutput, hasTaken }
    }
    if (status !== null) this.#status = status
    const end = await this.#endOf(cause, status, stderr)
    if (end.kind === 'not-started') return { end, stdout: noOutput, stderr: noOutput, hasTaken }
    const isInterrupted = isBack && cause !== 'done' && status?.exitCode === INTERRUPTED
    return { end, stdout, stderr: isInterrupted ? withoutLastNewlines(stderr) : stderr, hasTaken }
  }

  async #endOf(cause: Cause, status: Status | null, stderr: OutputEnds): Promise<CommandEnd> {
    const isOver = cause === 'done' || cause === 'ended'
    if (isOver && status !== null) return { kind: 'exited', exitCode: status.exitCode }
    const { hasTaken } = this.#exchange
    if (cause === 'timed-out' && !hasTaken) return notReadyInTime
    if (!isOver) return { kind: cause }
    const { isSandbox } = this.#process
    return endOf(
      'ended',
      { hasTaken, isSandbox, failure: (end) => failureOf(end, stderr.head) },
      await this.#process.ended,
    )
  }

  #read(chunk: Uint8Array): void {
    const lines = (this.#line + this.#decoder.decode(chunk, { stream: true })).split('\n')
    this.#line = lines.pop()?.slice(-MAX_LINE) ?? ''
    for (const line of lines) this.#hear(line)
  }

  #hear(line: string): void {
    const report = parseReport(line)
    const exchange = report === null ? undefined : this.#exchanges.get(report.nonce)
    if (report === null || exchange === undefined) return
    if (report.kind === 'took') exchange.hasTaken = true
    else exchange.answered.resolve()
    if (report.kind === 'done') exchange.status ??= report.status
  }

  #open(): Exchange {
    const nonce = crypto.randomUUID()
    const exchange = { nonce, hasTaken: false, status: null, answered: Promise.withResolvers<void>() }
    this.#exchanges.set(nonce, exchange)
    return exchange
  }

  #send(text: string): void {
    this.#sending = writeBytes(this.#socket, Buffer.from(text))
  }

  /** Before the first command: later the first process may have others below it. `null`: it has just ended. */
  #findPids(): ShellPids | null {
    const { pid, isSandbox } = this.#process
    if (!isSandbox) return { first: null, shell: pid }
    const [first, shell] = membersOf(pid)
    return first === undefined || shell === undefined ? null : { first, shell }
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stdout.close()
    this.#stderr.close()
    void Promise.all([this.#sending, this.#reading.cancel()]).then(() => closeSync(this.#socket))
  }
}

function spawn(kind: InteractiveKind) {
  using ends = new DisposableStack()
  const [out, err, pair] = [openOutputPipe(kind.place), openOutputPipe(kind.place), openSocketPair()]
  ends.defer(() => closeSync(pair.theirs))
  try {
    const fds = { stdout: out.writeFd, stderr: err.writeFd, commands: pair.theirs }
    const process = new ShellProcess({ ...kind, script: interactiveScript }, fds)
    return { process, socket: pair.ours, stdout: new SyncedOutput(out), stderr: new SyncedOutput(err) }
  } catch (thrown) {
    for (const fd of [out.readFd, out.writeFd, err.readFd, err.writeFd, pair.ours]) closeSync(fd)
    throw thrown
  }
}

function openSocketPair() {
  const made = native()?.socketPair() ?? { ok: false, code: 'ENOSYS' }
  if (!made.ok) throw new Error(`cannot make a socket (${made.code})`)
  return made.value
}
