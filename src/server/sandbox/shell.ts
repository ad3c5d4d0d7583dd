/** One shell, in a sandbox of its own or without one: made, given one command, ended. */
import { closeSync, fchownSync, openSync, write, writeSync } from 'node:fs'
import { promisify } from 'node:util'
import { native } from '../native.ts'
import { sandboxEnvironment } from './bwrap-args.ts'
import { type Collecting, collect, drain, KeptOutput, type OutputEnds } from './collect-output.ts'
import { commandLine, type Place } from './command-line.ts'
import { READY_MARK, TOOK_MARK } from './inside.ts'
import type { Isolation } from './isolation.ts'
import { killGroup, killProcess, membersOf, waitForDeath } from './process-tree.ts'

/** What is kept of stdout and stderr, each: enough for 50,000 characters, and half as many of the tail. */
const HEAD_BYTES = 200_000
const TAIL_BYTES = 100_000
/** How long a monitor may take to see that its sandbox was killed. */
const MONITOR_MS = 500
const READY = READY_MARK.charCodeAt(0)
const TOOK = TOOK_MARK.charCodeAt(0)
/** A pipe that is empty takes as much at once. */
const PIPE_BYTES = 65_536
/** All writers of a sandbox's pipes are dead when it has ended: this bounds what cannot be. */
const SANDBOX_DRAIN_MS = 10_000
/** Without a sandbox: how long to wait for more of a pipe that somebody still holds. */
const QUIET_MS = 250

export interface ShellEnd {
  readonly exitCode: number | null
  readonly signal: string | null
}

type Child = Bun.Subprocess<'ignore', number, number>

const writeFd = promisify(write)

export class Shell {
  /** Whether it came to wait for a command; `false`: it ended before. */
  readonly ready: Promise<boolean>
  readonly isSandbox: boolean
  /** Every process of it is dead, as far as a sandbox goes. */
  readonly ended: Promise<ShellEnd>
  readonly #child: Child
  readonly #stdout: Collecting
  readonly #stderr: Collecting
  readonly #becomesReady = Promise.withResolvers<boolean>()
  #commandFd: number | null
  #isReady = false
  #hasTaken = false
  #isKilled = false
  #dying: readonly number[] = []

  /** Throws when nothing can be spawned. */
  constructor(
    isolation: Isolation,
    place: Place,
    readonly network: boolean,
  ) {
    const spawned = spawn(isolation, place, network)
    this.isSandbox = isolation.kind === 'bubblewrap'
    this.ready = this.#becomesReady.promise
    this.#child = spawned.child
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
    const { pid } = this.#child
    await this.#child.exited
    const { exitCode, signalCode } = this.#child
    // bubblewrap's monitor that ended by itself saw the end of all. One that was killed did not; and without a sandbox
    // there is nobody who did: background children must not outlive the call.
    if (!this.isSandbox || signalCode !== null) killGroup(pid)
    await Promise.all(this.#dying.map((one) => waitForDeath(one, pid)))
    await drain([this.#stdout, this.#stderr], this.isSandbox ? SANDBOX_DRAIN_MS : QUIET_MS)
    this.#closeCommand()
    this.#becomesReady.resolve(false)
    return { exitCode, signal: signalCode === null ? null : String(signalCode) }
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
    const { pid } = this.#child
    this.#isKilled = true
    this.#dying = this.isSandbox ? membersOf(pid) : []
    // The monitor is spared for a moment: it tells the end of all, and reaps what would else be left to init.
    for (const one of this.#dying) killProcess(one)
    if (this.#dying.length === 0) killGroup(pid)
    const timer = setTimeout(() => {
      const { exitCode, signalCode } = this.#child
      if (exitCode === null && signalCode === null) killGroup(pid)
    }, MONITOR_MS)
    const end = await this.ended
    clearTimeout(timer)
    return end
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
    return this.#isKilled
  }

  get stdout(): OutputEnds {
    return this.#stdout.kept.ends
  }

  get stderr(): OutputEnds {
    return this.#stderr.kept.ends
  }

  /** Why it ended without having run its command: what bubblewrap said, or how it ended. */
  failure({ exitCode, signal }: ShellEnd): string {
    const said = this.stderr.head.trim().slice(0, 500)
    if (said !== '') return said
    return signal === null ? `bubblewrap ended with code ${exitCode}` : `bubblewrap was killed by ${signal}`
  }

  #closeCommand(): void {
    if (this.#commandFd !== null) closeSync(this.#commandFd)
    this.#commandFd = null
  }
}

function newKept(): KeptOutput {
  return new KeptOutput(HEAD_BYTES, TAIL_BYTES)
}

function spawn(isolation: Isolation, place: Place, network: boolean) {
  using ends = new DisposableStack()
  const [out, err, command] = [pipe(), pipe(), pipe()]
  // Whoever opens /dev/stdout anew must own the pipe.
  if (place.owner !== null) {
    for (const fd of [out.writeFd, err.writeFd]) fchownSync(fd, place.owner.uid, place.owner.gid)
  }
  for (const fd of [out.writeFd, err.writeFd, command.readFd]) ends.defer(() => closeSync(fd))
  const fds = [out.writeFd, err.writeFd, command.readFd]
  if (isolation.kind === 'bubblewrap' && isolation.seccompFile !== null) {
    // Opened each time: the place in the file is shared by all who inherit it.
    fds.push(ends.adopt(openSync(isolation.seccompFile, 'r'), closeSync))
  }
  try {
    const child = spawnChild(isolation, place, network, fds)
    return { child, stdoutFd: out.readFd, stderrFd: err.readFd, commandFd: command.writeFd }
  } catch (thrown) {
    for (const fd of [out.readFd, err.readFd, command.writeFd]) closeSync(fd)
    throw thrown
  }
}

function spawnChild(isolation: Isolation, place: Place, network: boolean, fds: readonly number[]): Child {
  const { argv, user } = commandLine(isolation, place, network)
  const isPlain = isolation.kind === 'none'
  const [stdout = -1, stderr = -1, ...rest] = fds
  return Bun.spawn([...argv], {
    stdio: ['ignore', stdout, stderr, ...rest],
    // bubblewrap finds the workspace itself, and says so when it cannot.
    cwd: isPlain ? place.workspace : '/',
    env: isPlain ? { ...sandboxEnvironment, HOME: place.workspace } : {},
    // A session, so a process group, of its own: it is killed whole.
    detached: true,
    ...(user === null ? {} : user),
  })
}

/** Bun's own "pipe" is a socket, and `echo x > /dev/stderr` fails on a socket. */
function pipe(): { readonly readFd: number; readonly writeFd: number } {
  const made = native()?.pipe() ?? { ok: false, code: 'ENOSYS' }
  if (!made.ok) throw new Error(`cannot make a pipe (${made.code})`)
  return made.value
}

async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  try {
    for (let at = 0; at < bytes.length; ) at += (await writeFd(fd, bytes, at)).bytesWritten
  } catch {
    // It is dead, and has not taken it.
  }
}
