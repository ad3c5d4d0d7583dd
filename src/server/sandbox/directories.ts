/** Where the server keeps what: workspaces, its own files, and what every sandbox reads. */
import { chmod, mkdir, mkdtemp, readdir, realpath, rmdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeThrown, SandboxError } from '../../errors.ts'
import { type DataLock, lockDataDir, lockName } from '../data-lock.ts'
import { errorCode } from '../files/path-error.ts'
import { removeTree } from '../files/remove-tree.ts'
import { killOrphans, type Swept, sweepTemporary, temporaryPrefix } from '../operation/sweep.ts'
import type { SandboxSettings } from '../options.ts'
import { firstOwner, isReachable } from './owners.ts'

export interface Directories {
  readonly dataDir: string
  /** The server's own; no sandbox sees it. The slots' users may pass it: what is in it must be closed by itself. */
  readonly privateDir: string
  /** In it, what every sandbox reads; nothing in it is secret. */
  readonly systemDir: string
  /** Of this run of the server. */
  readonly run: string
  /** What servers that were killed had left here. */
  readonly swept: readonly Swept[]
  /** Removes what is temporary, then lets the next server in. */
  close(): Promise<void>
  /** The first slot's user, or `null`: all are the server's. */
  readonly firstOwner: number | null
  /** The data directory, when the slots' users cannot reach it by its path; else `null`. */
  readonly hiddenDataDir: string | null
}

const privateName = '.sandbox-slots'

export async function openDirectories(settings: SandboxSettings): Promise<Directories> {
  const { dataDir: wanted, slots, isolation } = settings
  const owner = isolation === 'none' ? null : await firstOwner(slots)
  const dataDir = await openDataDir(wanted)
  const lock = await lockDataDir(dataDir)
  const close = () => closeDirectories(dataDir, wanted === undefined, lock)
  try {
    const swept =
      wanted === undefined ? await sweepTemporary(removeTemporary) : await sweepEarlier(dataDir, lock)
    const privateDir = join(dataDir, privateName)
    await removeTree(privateDir)
    const systemDir = join(privateDir, 'system')
    await mkdir(systemDir, { recursive: true, mode: 0o755 })
    await chmod(systemDir, 0o755)
    await chmod(privateDir, owner === null ? 0o700 : 0o711)
    const hiddenDataDir = owner === null ? null : await hiddenFromOthers(dataDir)
    return {
      dataDir,
      privateDir,
      systemDir,
      close,
      firstOwner: owner,
      hiddenDataDir,
      swept,
      run: lock.holder.run,
    }
  } catch (thrown) {
    await close().catch(() => {})
    throw cannotUse(dataDir, thrown)
  }
}

async function openDataDir(dataDir: string | undefined): Promise<string> {
  try {
    if (dataDir === undefined) return await realpath(await mkdtemp(join(tmpdir(), temporaryPrefix)))
    await mkdir(dataDir, { recursive: true })
    // Real, so that paths in answers agree with those that the kernel tells.
    return await realpath(dataDir)
  } catch (thrown) {
    throw cannotUse(dataDir ?? tmpdir(), thrown)
  }
}

function cannotUse(dataDir: string, thrown: unknown): SandboxError {
  const message = `Cannot use the data directory ${dataDir}: ${describeThrown(thrown)}`
  return new SandboxError('server', message, { cause: thrown })
}

async function sweepEarlier(directory: string, { earlier }: DataLock): Promise<Swept[]> {
  return earlier === null ? [] : [{ directory, pid: earlier.pid, killed: await killOrphans(earlier) }]
}

/** The lock goes last: until then nobody else may come in. */
async function closeDirectories(dataDir: string, isTemporary: boolean, lock: DataLock): Promise<void> {
  if (isTemporary) return await removeTemporary(dataDir, lock.release)
  await removeTree(join(dataDir, privateName))
  lock.release()
}

/** Whatever removes old files may have been here before. */
async function removeTemporary(dataDir: string, release: () => void): Promise<void> {
  const names = (await unlessMissing(readdir(dataDir))) ?? []
  for (const name of names) if (name !== lockName) await removeTree(join(dataDir, name))
  release()
  await unlessMissing(rmdir(dataDir))
}

async function unlessMissing<T>(done: Promise<T>): Promise<T | undefined> {
  try {
    return await done
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

/** Others may pass the data directory, not list it: each workspace is closed to all but its own user. */
async function hiddenFromOthers(dataDir: string): Promise<string | null> {
  const { mode } = await stat(dataDir)
  if ((mode & 0o001) === 0) await chmod(dataDir, (mode & 0o7777) | 0o001)
  return (await isReachable(dataDir)) ? null : dataDir
}
