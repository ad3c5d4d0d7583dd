/**
 * A slot's outer sandbox, whose first process makes one inner sandbox after the other (holder.pl): that costs a part of
 * what bubblewrap does. Each serves one command, as one that bubblewrap made, and sees nothing of its holder.
 */
import { closeSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { native } from '../native.ts'
import { newKept, readFd, readPipe } from './collect-output.ts'
import { holderLine, type Place } from './command-line.ts'
import { shellScript } from './inside.ts'
import type { Bubblewrap } from './isolation.ts'
import {
  openOutputPipe,
  type ShellEnd,
  type ShellFds,
  ShellProcess,
  type ShellTree,
} from './shell-process.ts'

/** The kernel ends an inner sandbox in a moment; when it does not, all of the outer one goes. */
const KILL_MS = 2_000

/** What the holder is sent for each inner sandbox. */
const SHELL_NOW = 1
const SHELL_LATER = 2

const signalNames = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]))

export class Holder {
  /** Every process of it, and of all its inner sandboxes, is dead. */
  readonly ended: Promise<ShellEnd>
  readonly #process: ShellProcess
  #control: number | null
  readonly #said = newKept()

  /** Throws when nothing can be spawned. */
  constructor(isolation: Bubblewrap, place: Place) {
    using opened = new DisposableStack()
    const [output, pair] = [openOutputPipe(place), openSocketPair()]
    for (const fd of [output.writeFd, pair.theirs]) opened.defer(() => closeSync(fd))
    const kind = { isolation, place, network: false, script: shellScript, line: holderLine(isolation, place) }
    try {
      const fds = { stdout: output.writeFd, stderr: output.writeFd, commands: pair.theirs }
      this.#process = new ShellProcess(kind, fds)
    } catch (thrown) {
      for (const fd of [output.readFd, pair.ours]) closeSync(fd)
      throw thrown
    }
    this.#control = pair.ours
    const reading = readPipe(output.readFd, (chunk) => this.#said.push(chunk))
    this.ended = this.#process.ended.then(async (end) => {
      this.#closeControl()
      await reading.ended
      return end
    })
  }

  /**
   * Makes an inner sandbox with these for its first process; `shellLater`: which waits for the command itself, and
   * starts a shell when it needs one. Throws when the holder has ended.
   */
  make(fds: ShellFds, shellLater = false): ShellTree {
    const control = this.#control
    if (control === null) throw new Error('cannot make a sandbox: its holder has ended')
    const pair = openSocketPair()
    const sent = native()?.sendFds(control, shellLater ? SHELL_LATER : SHELL_NOW, [
      fds.stdout,
      fds.stderr,
      fds.commands,
      pair.theirs,
    ])
    closeSync(pair.theirs)
    // It has died, or does not listen: its end is told as that of the sandbox.
    if (sent?.ok !== true) void this.kill()
    return new InnerSandbox(this, pair.ours)
  }

  /** Kills it, and all its inner sandboxes; resolves when they are dead. */
  async kill(): Promise<void> {
    this.#closeControl()
    await this.#process.kill()
    await this.ended
  }

  /** Whether it can be asked for more. */
  get isOpen(): boolean {
    return this.#control !== null
  }

  /** What bubblewrap or the holder said: why it ended. */
  get said(): string {
    return this.#said.ends.head
  }

  #closeControl(): void {
    if (this.#control !== null) closeSync(this.#control)
    this.#control = null
  }
}

class InnerSandbox implements ShellTree {
  readonly isSandbox = true
  readonly ended: Promise<ShellEnd>
  #socket: number | null
  #isKilled = false

  constructor(
    private readonly holder: Holder,
    socket: number,
  ) {
    this.#socket = socket
    this.ended = this.#end(socket)
  }

  async #end(socket: number): Promise<ShellEnd> {
    let told = ''
    await readFd(socket, (chunk) => {
      told += Buffer.from(chunk).toString()
    }).ended
    this.#socket = null
    closeSync(socket)
    const [, how, number] = /^(exit|signal) (\d+)\n$/.exec(told) ?? []
    if (how === 'exit') return { exitCode: Number(number), signal: null }
    if (how === 'signal')
      return { exitCode: null, signal: signalNames.get(Number(number)) ?? `signal ${number}` }
    // The holder is dying, and only its end tells that of what it held.
    const end = await this.holder.ended
    return { exitCode: null, signal: end.signal ?? 'SIGKILL' }
  }

  async kill(): Promise<ShellEnd> {
    this.#isKilled = true
    try {
      if (this.#socket !== null) writeSync(this.#socket, 'k')
    } catch {
      // The holder has just told the end, or is dead.
    }
    const timer = setTimeout(() => void this.holder.kill(), KILL_MS)
    const end = await this.ended
    clearTimeout(timer)
    return end
  }

  get isKilled(): boolean {
    return this.#isKilled
  }

  get said(): string {
    return this.holder.said
  }
}

function openSocketPair() {
  const made = native()?.socketPair() ?? { ok: false, code: 'ENOSYS' }
  if (!made.ok) throw new Error(`cannot make a socket (${made.code})`)
  return made.value
}
