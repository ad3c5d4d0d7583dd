/** One shell, in a sandbox of its own or without one: made, given one command, ended. */
import { closeSync, writeSync } from 'node:fs'
import {
  type Collecting,
  collect,
  drain,
  type KeptOutput,
  newKept,
  type OutputEnds,
} from './collect-output.ts'
import type { Place } from './command-line.ts'
import type { Holder } from './holder.ts'
import { READY_MARK, SHELL_FOLLOWS, STDIN_FOLLOWS, shellScript, TOOK_MARK } from './inside.ts'
import type { Isolation } from './isolation.ts'
import { programOf } from './plain-program.ts'
import {
  failureOf,
  openOutputPipe,
  openPipe,
  type ShellEnd,
  type ShellKind,
  ShellProcess,
  type ShellTree,
} from './shell-process.ts'

const READY = READY_MARK.charCodeAt(0)
const TOOK = TOOK_MARK.charCodeAt(0)
/** A pipe that is empty takes as much at once. */
const PIPE_BYTES = 65_536
/** All writers of a sandbox's pipes are dead when it has ended: this bounds what cannot be. */
const SANDBOX_DRAIN_MS = 10_000
/** Without a sandbox: how long to wait for more of a pipe that somebody still holds. */
const QUIET_MS = 250

export interface CommandInput {
  /** What the command reads; missing: its stdin is /dev/null. */
  readonly stdin?: string | undefined
  readonly onOutput?: OnOutput | undefined
  /** Told once, when it has taken the command, which begins then. */
  readonly onTaken?: (() => void) | undefined
}

/** Told of each piece of output, before it is kept. The piece must not be changed. */
export type OnOutput = (stream: 'stdout' | 'stderr', piece: Uint8Array) => void

export class Shell {
  /** Whether it came to wait for a command; `false`: it ended before. */
  readonly ready: Promise<boolean>
  readonly isSandbox: boolean
  /** Every process of it is dead, as far as a sandbox goes. */
  readonly ended: Promise<ShellEnd>
  readonly #process: ShellTree
  readonly #stdout: Collecting
  readonly #stderr: Collecting
  readonly #becomesReady = Promise.withResolvers<boolean>()
  #commandFd: number | null
  #onOutput: OnOutput | undefined
  #onTaken: (() => void) | undefined
  readonly #early: Uint8Array[] = []
  #isReady = false
  #hasTaken = false
  readonly #shellLater: boolean

  /**
   * In an inner sandbox, when there is a `holder` to make it; `shellLater`: no shell is started there before the command
   * has come, which may be a program that needs none. Throws when nothing can be spawned.
   */
  constructor(
    isolation: Isolation,
    place: Place,
    readonly network: boolean,
    holder: Pick<Holder, 'make'> | null = null,
    shellLater = false,
  ) {
    this.#shellLater = shellLater && holder !== null
    const spawned = spawn({ isolation, place, network, script: shellScript }, holder, this.#shellLater)
    this.#process = spawned.process
    this.isSandbox = this.#process.isSandbox
    this.ready = this.#becomesReady.promise
    this.#commandFd = spawned.commandFd
    this.#stdout = collect(spawned.stdoutFd, newKept(), (kept, chunk) => this.#read(kept, chunk))
    this.#stderr = collect(spawned.stderrFd, newKept(), (kept, chunk) => this.#readError(kept, chunk))
    this.ended = this.#end()
  }

  /** The marks come first; what follows them is the command's. */
  #read(kept: KeptOutput, chunk: Uint8Array): void {
    let at = 0
    if (!this.#isReady && chunk[at] === READY) {
      this.#isReady = true
      this.#becomesReady.resolve(true)
      at += 1
    }
    if (this.#isReady && !this.#hasTaken && chunk[at] === TOOK) {
      this.#hasTaken = true
      this.#onTaken?.()
      at += 1
      for (const piece of this.#early.splice(0)) this.#onOutput?.('stderr', piece)
    }
    if (!this.#hasTaken || at >= chunk.length) return
    const piece = chunk.subarray(at)
    kept.push(piece)
    this.#onOutput?.('stdout', piece)
  }

  #readError(kept: KeptOutput, piece: Uint8Array): void {
    kept.push(piece)
    if (this.#hasTaken) this.#onOutput?.('stderr', piece)
    // The mark may be read after what it came before, and until then this may be bubblewrap's own.
    else this.#early.push(new Uint8Array(piece))
  }

  async #end(): Promise<ShellEnd> {
    const end = await this.#process.ended
    await drain([this.#stdout, this.#stderr], this.isSandbox ? SANDBOX_DRAIN_MS : QUIET_MS)
    this.#closeCommand()
    this.#becomesReady.resolve(false)
    return end
  }

  /** Gives it its one command, and hands out what that prints as it comes. */
  give(command: string, { stdin, onOutput, onTaken }: CommandInput = {}): void {
    this.#onOutput = onOutput
    this.#onTaken = onTaken
    const message = (this.#shellLater ? lateMessage : commandMessage)(command, stdin)
    // Not before it waits for one: a sandbox that is still being made outlives a server that dies now, and would run it.
    void this.ready.then(() => this.#send(message))
  }

  #send(message: Buffer): void {
    const fd = this.#commandFd
    if (fd === null) return
    if (message.length <= PIPE_BYTES) {
      try {
        writeSync(fd, message)
      } catch {
        // It is dead, and has not taken it.
      }
      this.#closeCommand()
    } else {
      this.#commandFd = null
      void writeAll(fd, message)
    }
  }

  /** Kills every process of it; resolves when they are dead. */
  async kill(): Promise<ShellEnd> {
    await this.#process.kill()
    return await this.ended
  }

  get isReady(): boolean {
    return this.#isReady
  }

  /** Whether it took the command that it was given: what it printed then is the command's. */
  get hasTaken(): boolean {
    return this.#hasTaken
  }

  /** Whether we ended it. */
  get isKilled(): boolean {
    return this.#process.isKilled
  }

  get stdout(): OutputEnds {
    return this.#stdout.kept.ends
  }

  get stderr(): OutputEnds {
    return this.#stderr.kept.ends
  }

  /** Why it ended without having run its command: what bubblewrap said, or how it ended. */
  failure(end: ShellEnd): string {
    return failureOf(end, this.stderr.head || this.#process.said)
  }

  #closeCommand(): void {
    if (this.#commandFd !== null) closeSync(this.#commandFd)
    this.#commandFd = null
  }
}

interface Fds {
  readonly process: ShellTree
  readonly stdoutFd: number
  readonly stderrFd: number
  readonly commandFd: number
}

function spawn(kind: ShellKind, holder: Pick<Holder, 'make'> | null, shellLater: boolean): Fds {
  using ends = new DisposableStack()
  const [out, err, command] = [openOutputPipe(kind.place), openOutputPipe(kind.place), openPipe()]
  for (const fd of [out.writeFd, err.writeFd, command.readFd]) ends.defer(() => closeSync(fd))
  const fds = { stdout: out.writeFd, stderr: err.writeFd, commands: command.readFd }
  try {
    const process = holder?.make(fds, shellLater) ?? new ShellProcess(kind, fds)
    return { process, stdoutFd: out.readFd, stderrFd: err.readFd, commandFd: command.writeFd }
  } catch (thrown) {
    for (const fd of [out.readFd, err.readFd, command.writeFd]) closeSync(fd)
    throw thrown
  }
}

function commandMessage(command: string, stdin: string | undefined): Buffer {
  const bytes = Buffer.from(command)
  const mark = stdin === undefined ? '' : STDIN_FOLLOWS
  return Buffer.concat([Buffer.from(`${bytes.length}${mark}\n`), bytes, Buffer.from(stdin ?? '')])
}

/** The same where no shell has been started yet: first comes whether one is to. */
function lateMessage(command: string, stdin: string | undefined): Buffer {
  const program = stdin === undefined ? programOf(command) : null
  if (program === null) return Buffer.concat([Buffer.from(SHELL_FOLLOWS), commandMessage(command, stdin)])
  const words = Buffer.from([command, ...program].join('\0'))
  return Buffer.concat([Buffer.from(`${words.length}\n`), words])
}

/** Waits for the reader without a thread: a command may never read its stdin. Closes the pipe. */
async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  try {
    const sink = Bun.file(fd).writer()
    await sink.write(bytes)
    await sink.end()
  } catch {
    // It is dead, or has closed its stdin: what is left is for nobody.
  } finally {
    closeSync(fd)
  }
}
