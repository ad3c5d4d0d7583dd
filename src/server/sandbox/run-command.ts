/** Runs one command to its end: in a sandbox or without one, within its time, with bounded output. */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { native } from '../native.ts'
import { bwrapArgs, sandboxEnvironment } from './bwrap-args.ts'
import { type BwrapStatus, parseBwrapStatus } from './bwrap-status.ts'
import { type Collecting, collect, drain } from './collect-output.ts'
import type { Isolation } from './isolation.ts'
import { killGroup, waitForDeath } from './process-tree.ts'

export interface CommandRun {
  readonly command: string
  readonly isolation: Isolation
  /** The directory that the command sees as `/workspace`. */
  readonly workspace: string
  /** For short-lived files that no sandbox sees by name. */
  readonly privateDir: string
  readonly timeoutMs: number
  /** Of stdout and of stderr, each. */
  readonly outputCharacters: number
  /** Kills the command. */
  readonly stop: AbortSignal
}

export type CommandEnd =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'timed-out' }
  | { readonly kind: 'stopped' }
  /** An infrastructure failure: nothing of the command ran, or its end is not known. */
  | { readonly kind: 'not-started'; readonly reason: string }

export interface CommandOutcome {
  readonly end: CommandEnd
  readonly stdout: string
  readonly stderr: string
}

/** The command comes on a descriptor, since arguments end at 128 KiB; for the rest this is `bash -c COMMAND`. */
const SCRIPT_FD = 3
const STATUS_FD = 4
const runner = `BASH_EXECUTION_STRING=$(</dev/fd/${SCRIPT_FD}); exec ${SCRIPT_FD}<&-; eval "$BASH_EXECUTION_STRING"`

const signalNumbers: ReadonlyMap<string, number> = new Map(Object.entries(constants.signals))

/** Resolves when every process of the command is dead. Rejects only when it cannot be spawned at all. */
export async function runCommand(run: CommandRun): Promise<CommandOutcome> {
  using resources = new DisposableStack()
  const scriptFd = resources.adopt(temporaryFile(run.privateDir), closeSync)
  writeAll(scriptFd, Buffer.from(run.command))
  const statusFd = resources.adopt(temporaryFile(run.privateDir), closeSync)
  const { child, stdout, stderr } = spawn(run, scriptFd, statusFd)

  const cause = await waitForEnd(child, run)
  // Also after a normal end: background children must not outlive the call.
  killGroup(child.pid)
  await child.exited
  const status = readStatus(statusFd)
  if (status.childPid !== null) await waitForDeath(status.childPid, child.pid)
  await drain([stdout, stderr])
  return {
    end: cause === 'exited' ? endOf(run.isolation, child, status, stderr.head.text) : { kind: cause },
    stdout: stdout.head.text,
    stderr: stderr.head.text,
  }
}

type Child = Bun.Subprocess<'ignore', 'pipe' | number, 'pipe' | number>

function spawn(run: CommandRun, scriptFd: number, statusFd: number) {
  const out = outputPipe()
  const err = outputPipe()
  const stdio = ['ignore', out?.writeFd ?? 'pipe', err?.writeFd ?? 'pipe', scriptFd, statusFd] as const
  try {
    const child: Child = Bun.spawn([...commandLine(run)], {
      stdio: [...stdio],
      // bubblewrap finds the workspace itself, and says so when it cannot.
      cwd: run.isolation.kind === 'none' ? run.workspace : '/',
      env: run.isolation.kind === 'none' ? { ...sandboxEnvironment, HOME: run.workspace } : {},
      // A session, so a process group, of its own: it is killed whole.
      detached: true,
    })
    const maxUnits = run.outputCharacters * 2
    return {
      child,
      stdout: collectFrom(out?.readFd, child.stdout, maxUnits),
      stderr: collectFrom(err?.readFd, child.stderr, maxUnits),
    }
  } catch (thrown) {
    for (const pipe of [out, err]) if (pipe !== null) closeSync(pipe.readFd)
    throw thrown
  } finally {
    for (const pipe of [out, err]) if (pipe !== null) closeSync(pipe.writeFd)
  }
}

function commandLine({ isolation, workspace }: CommandRun): string[] {
  if (isolation.kind === 'none') return ['bash', '-c', runner]
  const setup = { ...isolation, workspace, statusFd: STATUS_FD }
  return [isolation.bwrapPath, ...bwrapArgs(setup), 'bash', '-c', runner]
}

/** Bun's own "pipe" is a socket, and `echo x > /dev/stderr` fails on a socket. */
function outputPipe() {
  const made = native()?.pipe()
  return made?.ok ? made.value : null
}

function collectFrom(
  readFd: number | undefined,
  bunPipe: ReadableStream<Uint8Array> | number | undefined,
  maxUnits: number,
): Collecting {
  if (readFd !== undefined) {
    return collect(Bun.file(readFd).stream(), maxUnits, () => closeSync(readFd))
  }
  const stream = bunPipe instanceof ReadableStream ? bunPipe : new Blob([]).stream()
  return collect(stream, maxUnits, () => {})
}

async function waitForEnd(
  child: Child,
  { timeoutMs, stop }: CommandRun,
): Promise<'exited' | 'timed-out' | 'stopped'> {
  const { promise, resolve } = Promise.withResolvers<'timed-out' | 'stopped'>()
  const timer = setTimeout(() => resolve('timed-out'), timeoutMs)
  const onStop = () => resolve('stopped')
  if (stop.aborted) onStop()
  stop.addEventListener('abort', onStop)
  try {
    return await Promise.race([child.exited.then(() => 'exited' as const), promise])
  } finally {
    clearTimeout(timer)
    stop.removeEventListener('abort', onStop)
  }
}

function endOf(isolation: Isolation, child: Child, status: BwrapStatus, stderr: string): CommandEnd {
  const signal = child.signalCode
  if (isolation.kind === 'none') {
    const exitCode = signal === null ? (child.exitCode ?? -1) : 128 + signalNumber(signal)
    return { kind: 'exited', exitCode }
  }
  if (status.exitCode !== null) return { kind: 'exited', exitCode: status.exitCode }
  const told = stderr.trim().slice(0, 500)
  const how =
    signal === null ? `bubblewrap ended with code ${child.exitCode}` : `bubblewrap was killed by ${signal}`
  return { kind: 'not-started', reason: told === '' ? how : told }
}

function signalNumber(name: number | string): number {
  return typeof name === 'number' ? name : (signalNumbers.get(name) ?? 0)
}

/** Open for reading and writing, without a name. */
function temporaryFile(directory: string): number {
  const path = join(directory, crypto.randomUUID())
  const fd = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return fd
}

function writeAll(fd: number, bytes: Uint8Array): void {
  // At explicit positions: whoever inherits the descriptor starts at 0.
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at)
}

function readStatus(fd: number): BwrapStatus {
  const buffer = Buffer.alloc(8_192)
  return parseBwrapStatus(buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0)))
}
