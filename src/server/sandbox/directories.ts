/** Where the server keeps what: workspaces, its own files, and what every sandbox reads. */
import { chmod, mkdir, mkdtemp, readdir, realpath, rmdir, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeThrown, SandboxError } from '../../errors.ts'
import { type DataLock, lockDataDir, lockName } from '../data-lock.ts'
import { removeTree } from '../files/remove-tree.ts'
import type { SandboxSettings } from '../options.ts'
import { firstOwner, isReachable } from './owners.ts'

export interface Directories {
  readonly dataDir: string
  /** The server's own; no sandbox sees it. The slots' users may pass it: what is in it must be closed by itself. */
  readonly privateDir: string
  /** In it, what every sandbox reads; nothing in it is secret. */
  readonly systemDir: string
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
  const lock = lockDataDir(dataDir)
  const close = () => closeDirectories(dataDir, wanted === undefined, lock)
  try {
    const privateDir = join(dataDir, privateName)
    const systemDir = join(privateDir, 'system')
    await mkdir(systemDir, { recursive: true, mode: 0o755 })
    await chmod(systemDir, 0o755)
    await chmod(privateDir, owner === null ? 0o700 : 0o711)
    const hiddenDataDir = owner === null ? null : await hiddenFromOthers(dataDir)
    return { dataDir, privateDir, systemDir, close, firstOwner: owner, hiddenDataDir }
  } catch (thrown) {
    await close().catch(() => {})
    throw cannotUse(dataDir, thrown)
  }
}

async function openDataDir(dataDir: string | undefined): Promise<string> {
  try {
    if (dataDir === undefined) return await realpath(await mkdtemp(join(tmpdir(), 'sandbox-slots-')))
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

/** The lock goes last: until then nobody else may come in. */
async function closeDirectories(dataDir: string, isTemporary: boolean, lock: DataLock): Promise<void> {
  const names = isTemporary ? (await readdir(dataDir)).filter((name) => name !== lockName) : [privateName]
  for (const name of names) await removeTree(join(dataDir, name))
  lock.release()
  if (isTemporary) await rmdir(dataDir)
}

/** Others may pass the data directory, not list it: each workspace is closed to all but its own user. */
async function hiddenFromOthers(dataDir: string): Promise<string | null> {
  const { mode } = await stat(dataDir)
  if ((mode & 0o001) === 0) await chmod(dataDir, (mode & 0o7777) | 0o001)
  return (await isReachable(dataDir)) ? null : dataDir
}
