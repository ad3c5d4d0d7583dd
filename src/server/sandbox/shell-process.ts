/** The processes of one shell, in a sandbox or without one: spawned, killed whole, known to be dead. */
import { closeSync, fchownSync, openSync } from 'node:fs'
import { native } from '../native.ts'
import { runVariable } from '../operation/sweep.ts'
import { sandboxEnvironment } from './bwrap-args.ts'
import { type CommandLine, commandLine, type Place, type Script } from './command-line.ts'
import type { Isolation } from './isolation.ts'
import { killGroup, killProcess, killSession, membersOf, waitForSession } from './process-tree.ts'

/** How long a monitor may take to see that its sandbox was killed. */
const MONITOR_MS = 500

export interface ShellEnd {
  readonly exitCode: number | null
  readonly signal: string | null
}

/** What a shell is given: its stdout, its stderr, and where its commands come from (fd 3). Closed by whoever made them. */
export interface ShellFds {
  readonly stdout: number
  readonly stderr: number
  readonly commands: number
}

/** Its stdin, stdout and stderr are a terminal of its own. */
export interface ShellTerminal {
  readonly terminal: Bun.TerminalOptions
}

export interface ShellKind {
  readonly isolation: Isolation
  readonly place: Place
  readonly network: boolean
  readonly script: Script
  /** Another than that of a shell. */
  readonly line?: CommandLine
}

/** The processes of a shell, whoever made them. */
export interface ShellTree {
  readonly isSandbox: boolean
  /** Every process of it is dead, as far as a sandbox goes. */
  readonly ended: Promise<ShellEnd>
  /** Kills every process of it; resolves when they are dead. */
  kill(): Promise<ShellEnd>
  /** Whether we ended it. */
  readonly isKilled: boolean
  /** What whoever made it said beside its stderr. */
  readonly said: string
}

export class ShellProcess implements ShellTree {
  readonly said = ''

  readonly pid: number
  readonly isSandbox: boolean
  /** Every process of it is dead, as far as a sandbox goes. */
  readonly ended: Promise<ShellEnd>
  readonly #child: Bun.Subprocess
  #isKilled = false

  /** Throws when nothing can be spawned. */
  constructor(kind: ShellKind, io: ShellFds | ShellTerminal) {
    this.isSandbox = kind.isolation.kind === 'bubblewrap'
    this.#child = spawn(kind, io)
    this.pid = this.#child.pid
    this.ended = this.#end()
  }

  async #end(): Promise<ShellEnd> {
    await this.#child.exited
    const { exitCode, signalCode } = this.#child
    // bubblewrap's monitor that ended by itself saw the end of all. One that was killed, by us or by others, did not; and
    // without a sandbox there is nobody who did: background children must not outlive the call.
    if (!this.isSandbox || signalCode !== null) killGroup(this.pid)
    if (this.isSandbox && signalCode !== null) await waitForSession(this.pid)
    // At a terminal a shell puts each job into a group of its own.
    if (!this.isSandbox && this.terminal !== undefined) await killSession(this.pid)
    return { exitCode, signal: signalCode === null ? null : String(signalCode) }
  }

  /** Kills every process of it; resolves when they are dead. */
  async kill(): Promise<ShellEnd> {
    const { pid } = this
    this.#isKilled = true
    // Its number may be another's by now.
    if (this.#hasExited) return await this.ended
    const members = this.isSandbox ? membersOf(pid) : []
    // The monitor is spared for a moment: it tells the end of all, and reaps what would else be left to init.
    for (const one of members) killProcess(one)
    if (members.length === 0) killGroup(pid)
    const timer = setTimeout(() => {
      if (!this.#hasExited) killGroup(pid)
    }, MONITOR_MS)
    const end = await this.ended
    clearTimeout(timer)
    return end
  }

  get #hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** The server's end of its terminal, when it has one. */
  get terminal(): Bun.Terminal | undefined {
    return this.#child.terminal
  }

  /** Whether we ended it. */
  get isKilled(): boolean {
    return this.#isKilled
  }
}

/** Why a shell ended without having run its command: what bubblewrap said, or how it ended. */
export function failureOf({ exitCode, signal }: ShellEnd, stderr: string): string {
  const said = stderr.trim().slice(0, 500)
  if (said !== '') return said
  return signal === null ? `bubblewrap ended with code ${exitCode}` : `bubblewrap was killed by ${signal}`
}

function spawn(
  { isolation, place, network, script, line }: ShellKind,
  io: ShellFds | ShellTerminal,
): Bun.Subprocess {
  using opened = new DisposableStack()
  const { argv, user } = line ?? commandLine(isolation, place, network, script)
  const isPlain = isolation.kind === 'none'
  // Opened each time: the place in the file is shared by all who inherit it.
  const seccomp =
    isPlain || isolation.seccompFile === null
      ? []
      : [opened.adopt(openSync(isolation.seccompFile, 'r'), closeSync)]
  const { stdout, stderr, commands } = 'terminal' in io ? ignored : io
  return Bun.spawn([...argv], {
    stdio: ['ignore', stdout, stderr, commands, ...seccomp],
    ...('terminal' in io ? io : {}),
    // bubblewrap finds the workspace itself, and says so when it cannot.
    cwd: isPlain ? place.workspace : '/',
    env: {
      ...(isPlain ? { ...sandboxEnvironment, HOME: place.workspace } : {}),
      [runVariable]: isolation.run,
    },
    // A session, so a process group, of its own: it is killed whole.
    detached: true,
    ...(user === null ? {} : user),
  })
}

/** The terminal takes the place of the first two. */
const ignored = { stdout: 'ignore', stderr: 'ignore', commands: 'ignore' } as const

export interface Pipe {
  readonly readFd: number
  readonly writeFd: number
}

/** Bun's own "pipe" is a socket, and `echo x > /dev/stderr` fails on a socket. */
export function openPipe(): Pipe {
  const made = native()?.pipe() ?? { ok: false, code: 'ENOSYS' }
  if (!made.ok) throw new Error(`cannot make a pipe (${made.code})`)
  return made.value
}

/** A pipe for what a shell prints: whoever opens /dev/stdout anew must own it. */
export function openOutputPipe({ owner }: Place): Pipe {
  const pipe = openPipe()
  if (owner !== null) fchownSync(pipe.writeFd, owner.uid, owner.gid)
  return pipe
}
