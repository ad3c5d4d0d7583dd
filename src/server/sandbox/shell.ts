/** One shell, in a sandbox of its own or without one: made, given one command, ended. */
import { closeSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { type Collecting, collect, drain, KeptOutput, type OutputEnds } from './collect-output.ts'
import type { Place } from './command-line.ts'
import { READY_MARK, shellScript, TOOK_MARK } from './inside.ts'
import type { Isolation } from './isolation.ts'
import {
  failureOf,
  openOutputPipe,
  openPipe,
  type ShellEnd,
  type ShellKind,
  ShellProcess,
} from './shell-process.ts'

/** What is kept of stdout and stderr, each: enough for 50,000 characters, and half as many of the tail. */
const HEAD_BYTES = 200_000
const TAIL_BYTES = 100_000
const READY = READY_MARK.charCodeAt(0)
const TOOK = TOOK_MARK.charCodeAt(0)
/** A pipe that is empty takes as much at once. */
const PIPE_BYTES = 65_536
/** All writers of a sandbox's pipes are dead when it has ended: this bounds what cannot be. */
const SANDBOX_DRAIN_MS = 10_000
/** Without a sandbox: how long to wait for more of a pipe that somebody still holds. */
const QUIET_MS = 250

const writeFd = promisify(write)

export class Shell {
  /** Whether it came to wait for a command; `false`: it ended before. */
  readonly ready: Promise<boolean>
  readonly isSandbox: boolean
  /** Every process of it is dead, as far as a sandbox goes. */
  readonly ended: Promise<ShellEnd>
  readonly #process: ShellProcess
  readonly #stdout: Collecting
  readonly #stderr: Collecting
  readonly #becomesReady = Promise.withResolvers<boolean>()
  #commandFd: number | null
  #isReady = false
  #hasTaken = false

  /** Throws when nothing can be spawned. */
  constructor(
    isolation: Isolation,
    place: Place,
    readonly network: boolean,
  ) {
    const spawned = spawn({ isolation, place, network, script: shellScript })
    this.#process = spawned.process
    this.isSandbox = this.#process.isSandbox
    this.ready = this.#becomesReady.promise
    this.#commandFd = spawned.commandFd
    this.#stdout = collect(spawned.stdoutFd, newKept(), (kept, chunk) => this.#read(kept, chunk))
    this.#stderr = collect(spawned.stderrFd, newKept(), (kept, chunk) => kept.push(chunk))
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
      at += 1
    }
    if (this.#hasTaken && at < chunk.length) kept.push(chunk.subarray(at))
  }

  async #end(): Promise<ShellEnd> {
    const end = await this.#process.ended
    await drain([this.#stdout, this.#stderr], this.isSandbox ? SANDBOX_DRAIN_MS : QUIET_MS)
    this.#closeCommand()
    this.#becomesReady.resolve(false)
    return end
  }

  /** Gives it its one command. */
  give(command: string): void {
    const fd = this.#commandFd
    if (fd === null) return
    const bytes = Buffer.from(command)
    const message = Buffer.concat([Buffer.from(`${bytes.length}\n`), bytes])
    if (message.length <= PIPE_BYTES) {
      try {
        writeSync(fd, message)
      } catch {
        // It is dead, and has not taken it.
      }
      this.#closeCommand()
    } else {
      this.#commandFd = null
      void writeAll(fd, message).finally(() => closeSync(fd))
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
    return failureOf(end, this.stderr.head)
  }

  #closeCommand(): void {
    if (this.#commandFd !== null) closeSync(this.#commandFd)
    this.#commandFd = null
  }
}

function newKept(): KeptOutput {
  return new KeptOutput(HEAD_BYTES, TAIL_BYTES)
}

interface Fds {
  readonly process: ShellProcess
  readonly stdoutFd: number
  readonly stderrFd: number
  readonly commandFd: number
}

function spawn(kind: ShellKind): Fds {
  using ends = new DisposableStack()
  const [out, err, command] = [openOutputPipe(kind.place), openOutputPipe(kind.place), openPipe()]
  for (const fd of [out.writeFd, err.writeFd, command.readFd]) ends.defer(() => closeSync(fd))
  const fds = { stdout: out.writeFd, stderr: err.writeFd, commands: command.readFd }
  try {
    const process = new ShellProcess(kind, fds)
    return { process, stdoutFd: out.readFd, stderrFd: err.readFd, commandFd: command.writeFd }
  } catch (thrown) {
    for (const fd of [out.readFd, err.readFd, command.writeFd]) closeSync(fd)
    throw thrown
  }
}

async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; ) at += (await writeFd(fd, bytes, at)).bytesWritten
  } catch {
    // It is dead, and has not taken it.
  }
}
