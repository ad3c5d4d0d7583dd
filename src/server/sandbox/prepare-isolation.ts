/** Isolation is decided once at start. Nothing that a tool prints can change it. */
import { lstat, mkdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeThrown, SandboxError } from '../../errors.ts'
import type { Owner } from '../files/open-directory.ts'
import type { SystemDirectory } from './bwrap-args.ts'
import type { Place } from './command-line.ts'
import { makeEtc } from './etc.ts'
import { Holder } from './holder.ts'
import type { Bubblewrap, Isolation, SandboxBounds } from './isolation.ts'
import { giveTo } from './owners.ts'
import { seccompFilter } from './seccomp.ts'
import { Shell } from './shell.ts'

export interface IsolationWanted {
  readonly run: string
  readonly kind: 'bubblewrap' | 'none'
  /** For what every sandbox reads: everybody may pass it. */
  readonly systemDir: string
  readonly limits: SandboxBounds
  readonly network: boolean
  /** Undefined: found on the PATH. */
  readonly bwrapPath: string | undefined
  /** As whom the first sandbox is tried. */
  readonly owner: Owner | null
  readonly hiddenDataDir: string | null
}

const PROBE_TIMEOUT_MS = 20_000

/** Sets bubblewrap up and runs one sandbox to see that it works; throws a SandboxError `isolation` if not. */
export async function prepareIsolation(wanted: IsolationWanted): Promise<Isolation> {
  const { run } = wanted
  if (wanted.kind === 'none') return { kind: 'none', run }
  const bwrapPath = wanted.bwrapPath ?? Bun.which('bwrap')
  if (bwrapPath === null) throw isolationError('the program bwrap was not found')
  const { systemDir, limits, hiddenDataDir } = wanted

  const etcDir = join(systemDir, 'etc')
  await makeEtc(etcDir, wanted.network)
  const filter = seccompFilter(process.arch)
  const seccompFile = filter === null ? null : join(systemDir, 'seccomp')
  if (filter !== null && seccompFile !== null) await writeFile(seccompFile, filter)
  const systemDirectories = await findSystemDirectories()
  const isolation = {
    kind: 'bubblewrap',
    run,
    bwrapPath,
    systemDirectories,
    etcDir,
    seccompFile,
    limits,
    hiddenDataDir,
    hasHolders: false,
  } as const
  const place = await probe(isolation, systemDir, wanted.owner)
  return { ...isolation, hasHolders: await holdersWork(isolation, place) }
}

async function probe(isolation: Bubblewrap, systemDir: string, owner: Owner | null): Promise<Place> {
  const workspace = join(systemDir, 'probe')
  await mkdir(workspace, { recursive: true, mode: 0o700 })
  await giveTo(workspace, owner)
  const place = { workspace, owner }
  const reason = await firstCommand(isolation, place).catch(describeThrown)
  if (reason !== null) throw isolationError(reason)
  return place
}

/** Whether perl is there, and may make namespaces: not everywhere where bubblewrap works. */
async function holdersWork(isolation: Bubblewrap, place: Place): Promise<boolean> {
  // There another program becomes the slot's user, between bubblewrap and the server: one form of it is enough.
  if (isolation.hiddenDataDir !== null) return false
  try {
    const holder = new Holder(isolation, place)
    const reason = await firstCommand(isolation, place, holder)
    await holder.kill()
    return reason === null
  } catch {
    return false
  }
}

/** Why a first command did not run, or `null`. */
async function firstCommand(
  isolation: Bubblewrap,
  place: Place,
  holder: Holder | null = null,
): Promise<string | null> {
  const shell = new Shell(isolation, place, false, holder)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    void shell.kill()
  }, PROBE_TIMEOUT_MS)
  // With another process, so that a limit that is too low for this machine shows itself.
  shell.give('/bin/true && :')
  const end = await shell.ended
  clearTimeout(timer)
  if (isLate) return `a first command had not ended after ${PROBE_TIMEOUT_MS} ms`
  if (!shell.hasTaken) return shell.failure(end)
  return end.exitCode === 0 ? null : `a first command ended with exit code ${end.exitCode}`
}

function isolationError(reason: string): SandboxError {
  return new SandboxError(
    'isolation',
    `bubblewrap does not work here (${reason}): install it with \`apt-get install bubblewrap\`, ` +
      'or say `isolation: "none"` to run tool calls without a sandbox.',
  )
}

/** Merged-/usr systems have symlinks here, others directories; not every system has them all. */
async function findSystemDirectories(): Promise<SystemDirectory[]> {
  const found: SystemDirectory[] = []
  for (const path of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const stats = await lstat(path).catch(() => null)
    if (stats?.isSymbolicLink()) found.push({ path, linkTarget: await readlink(path) })
    else if (stats?.isDirectory()) found.push({ path, linkTarget: null })
  }
  return found
}
