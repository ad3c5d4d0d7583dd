/**
 * A shell at a pseudo-terminal, in a sandbox of its own or without one.
 *
 * The terminal is the sandbox's alone: its other end is held by this server and by nobody else. So the shell may have it
 * as its controlling terminal (Ctrl-C and job control need that) without a session of its own for the sandbox
 * (bubblewrap's --new-session would take it away): what a program pushes into its input with TIOCSTI, only programs of
 * the same sandbox read.
 */
import { closeSync, constants, openSync, readlinkSync } from 'node:fs'
import { native } from '../native.ts'
import type { Place } from '../sandbox/command-line.ts'
import { terminalScript } from '../sandbox/inside.ts'
import type { Isolation } from '../sandbox/isolation.ts'
import { type ShellEnd, ShellProcess } from '../sandbox/shell-process.ts'
import type { Size } from './recording.ts'

/** A flag of termios: the kernel gathers whole lines, and programs read those. */
const ICANON = 2
/** What was printed comes before the end of the terminal; this bounds what cannot be. */
const CLOSE_MS = 2_000

export class Pty {
  /** Every process is dead, as far as a sandbox goes, and all that they printed has come. */
  readonly ended: Promise<ShellEnd>
  readonly #process: ShellProcess
  readonly #closed = Promise.withResolvers<void>()
  /** The programs' end, to hold their output; `null`: they had ended before it could be had. */
  readonly #programsEnd: number | null
  #unsentBytes = 0

  /** Throws when nothing can be spawned. */
  constructor(
    isolation: Isolation,
    place: Place,
    network: boolean,
    { columns, rows }: Size,
    onOutput: (chunk: Uint8Array) => void,
  ) {
    const terminal = {
      ...{ cols: columns, rows, name: 'xterm-256color' },
      data: (_terminal: Bun.Terminal, chunk: Uint8Array) => onOutput(chunk),
      drain: () => {
        this.#unsentBytes = 0
      },
      exit: () => this.#closed.resolve(),
    }
    this.#process = new ShellProcess({ isolation, place, network, script: terminalScript }, { terminal })
    this.#programsEnd = openProgramsEnd(this.pid)
    this.ended = this.#end()
  }

  async #end(): Promise<ShellEnd> {
    const end = await this.#process.ended
    this.hold(false)
    if (this.#programsEnd !== null) closeSync(this.#programsEnd)
    const timer = setTimeout(() => this.#closed.resolve(), CLOSE_MS)
    await this.#closed.promise
    clearTimeout(timer)
    this.#terminal?.close()
    return end
  }

  get pid(): number {
    return this.#process.pid
  }

  get #terminal(): Bun.Terminal | undefined {
    return this.#process.terminal
  }

  /** Kills every process of it; resolves when they are dead. */
  async kill(): Promise<void> {
    await this.#process.kill()
    await this.ended
  }

  /** Types `text`. What no program reads waits here. */
  write(text: string): void {
    const terminal = this.#terminal
    if (terminal === undefined || terminal.closed) return
    const bytes = Buffer.from(text)
    this.#unsentBytes += bytes.length
    terminal.write(bytes)
  }

  /** How much of what was typed did not go to the kernel yet. */
  get unsentBytes(): number {
    return this.#unsentBytes
  }

  /** Whether the program in front takes single keys, as line editors and full-screen programs do. */
  get takesKeys(): boolean {
    return ((this.#terminal?.localFlags ?? 0) & ICANON) === 0
  }

  /** Makes the programs wait with their output, or go on. */
  hold(isHeld: boolean): void {
    if (this.#programsEnd !== null) native()?.holdOutput(this.#programsEnd, isHeld)
  }

  resize({ columns, rows }: Size): void {
    this.#terminal?.resize(columns, rows)
  }
}

function openProgramsEnd(pid: number): number | null {
  try {
    return openSync(readlinkSync(`/proc/${pid}/fd/0`), constants.O_RDWR | constants.O_NOCTTY)
  } catch {
    // It has ended: what it had to say comes all the same.
    return null
  }
}
