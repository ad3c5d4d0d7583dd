/** Where the server keeps what: workspaces, its own files, and what every sandbox reads. */
import { chmod, mkdir, mkdtemp, realpath, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeThrown, SandboxError } from '../../errors.ts'
import type { SandboxSettings } from '../options.ts'
import { firstOwner, isReachable } from './owners.ts'

export interface Directories {
  readonly dataDir: string
  /** The server's own; no sandbox sees it. The slots' users may pass it: what is in it must be closed by itself. */
  readonly privateDir: string
  /** In it, what every sandbox reads; nothing in it is secret. */
  readonly systemDir: string
  /** To be removed at the end. */
  readonly temporary: string
  /** The first slot's user, or `null`: all are the server's. */
  readonly firstOwner: number | null
  /** The data directory, when the slots' users cannot reach it by its path; else `null`. */
  readonly hiddenDataDir: string | null
}

export async function openDirectories(settings: SandboxSettings): Promise<Directories> {
  const { dataDir: wanted, slots, isolation } = settings
  const owner = isolation === 'none' ? null : await firstOwner(slots)
  try {
    const dataDir = await openDataDir(wanted)
    const privateDir = join(dataDir, '.sandbox-slots')
    const systemDir = join(privateDir, 'system')
    await mkdir(systemDir, { recursive: true, mode: 0o755 })
    await chmod(systemDir, 0o755)
    await chmod(privateDir, owner === null ? 0o700 : 0o711)
    const temporary = wanted === undefined ? dataDir : privateDir
    const hiddenDataDir = owner === null ? null : await hiddenFromOthers(dataDir)
    return { dataDir, privateDir, systemDir, temporary, firstOwner: owner, hiddenDataDir }
  } catch (thrown) {
    const reason = describeThrown(thrown)
    throw new SandboxError('server', `Cannot use the data directory ${wanted ?? tmpdir()}: ${reason}`, {
      cause: thrown,
    })
  }
}

async function openDataDir(dataDir: string | undefined): Promise<string> {
  if (dataDir === undefined) return await realpath(await mkdtemp(join(tmpdir(), 'sandbox-slots-')))
  await mkdir(dataDir, { recursive: true })
  // Real, so that paths in answers agree with those that the kernel tells.
  return await realpath(dataDir)
}

/** Others may pass the data directory, not list it: each workspace is closed to all but its own user. */
async function hiddenFromOthers(dataDir: string): Promise<string | null> {
  const { mode } = await stat(dataDir)
  if ((mode & 0o001) === 0) await chmod(dataDir, (mode & 0o7777) | 0o001)
  return (await isReachable(dataDir)) ? null : dataDir
}
