/** One server per data directory: a lock that the kernel takes back when its holder ends, also by `kill -9`. */
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { describeThrown, SandboxError } from '../errors.ts'
import { parseJson } from '../protocol/routes.ts'
import { native } from './native.ts'
import { groupOf } from './sandbox/process-tree.ts'

/** The lock's file in the data directory. */
export const lockName = '.sandbox-slots.lock'

/** Who holds the lock, or held it. */
export interface LockHolder {
  readonly pid: number
  /** Of this one run of a server: no other has it. */
  readonly run: string
}

export interface DataLock {
  readonly holder: LockHolder
  /** Who held it last and could not give it back: a server that was killed. */
  readonly earlier: LockHolder | null
  /** Lets the next server in. */
  release(): void
}

/**
 * How long a dead server's lock is waited for: a child that it was just starting has the descriptor until it runs its
 * own program.
 */
const DEAD_HOLDER_MS = 1_000
/** And one that seems to live: `kill -9` takes until all its memory is given back, and then its lock. */
const LIVING_HOLDER_MS = 250
const RETRY_MS = 5

const lockHolder = v.object({ pid: v.number(), run: v.pipe(v.string(), v.uuid()) })

/**
 * Rejects with a SandboxError `server` that names the holder when another server, of this process or not, has the
 * directory. Where the kernel's call is missing (not on Linux) nothing is locked.
 */
export async function lockDataDir(dataDir: string): Promise<DataLock> {
  const path = join(dataDir, lockName)
  const startedAt = performance.now()
  for (;;) {
    const fd = openLock(dataDir, path)
    const locked = native()?.lock(fd)
    // The file that was opened may have been its holder's, who took it away at the same moment: then there is a new one.
    if (locked?.ok !== false && isFileAt(path, fd)) return newLock(path, fd)
    closeSync(fd)
    if (locked?.ok !== false) continue
    if (locked.code !== 'EAGAIN') throw cannotLock(dataDir, locked.code)
    const holder = readHolder(path)
    const isDead = holder !== null && groupOf(holder.pid) === null
    const patienceMs = isDead ? DEAD_HOLDER_MS : LIVING_HOLDER_MS
    if (performance.now() - startedAt > patienceMs) throw cannotLock(dataDir, heldBy(holder))
    await Bun.sleep(RETRY_MS)
  }
}

/**
 * The lock of a directory whose server was killed; `null` when it runs, has ended well, or never came so far. Makes no
 * file: its server may be about to remove the directory.
 */
export function lockCrashed(dataDir: string): (DataLock & { readonly earlier: LockHolder }) | null {
  const path = join(dataDir, lockName)
  // A server that starts writes its name when it has the lock: whoever has the lock then, and a name, is alone.
  const earlier = readHolder(path)
  if (earlier === null || native() === null) return null
  let fd: number
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  } catch {
    return null
  }
  if (native()?.lock(fd).ok === true && isFileAt(path, fd)) return { ...newLock(path, fd), earlier }
  closeSync(fd)
  return null
}

function newLock(path: string, fd: number): DataLock {
  const earlier = readHolder(path)
  const holder = { pid: process.pid, run: crypto.randomUUID() }
  ftruncateSync(fd)
  writeSync(fd, JSON.stringify(holder), 0)
  let isHeld = true
  const release = () => {
    if (!isHeld) return
    isHeld = false
    rmSync(path, { force: true })
    closeSync(fd)
  }
  return { holder, earlier, release }
}

function openLock(dataDir: string, path: string): number {
  try {
    // Never through a symlink; not passed on to what is spawned, which would hold the lock too.
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  } catch (thrown) {
    throw cannotLock(dataDir, describeThrown(thrown))
  }
}

function isFileAt(path: string, fd: number): boolean {
  const [here, held] = [statSync(path, { throwIfNoEntry: false }), fstatSync(fd)]
  return here?.ino === held.ino && here.dev === held.dev
}

function readHolder(path: string): LockHolder | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    // Given back a moment ago.
    return null
  }
  const parsed = v.safeParse(lockHolder, parseJson(text))
  return parsed.success ? parsed.output : null
}

function heldBy(holder: LockHolder | null): string {
  const who = holder === null ? 'another server' : `the server with process id ${holder.pid}`
  return `${who} uses it; each server needs one of its own`
}

function cannotLock(dataDir: string, reason: string): SandboxError {
  return new SandboxError('server', `Cannot use the data directory ${dataDir}: ${reason}`)
}
