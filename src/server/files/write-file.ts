/** Replaces a file inside a workspace in one step: its readers see the old content or the new, never a part. */
import {
  chmodSync,
  closeSync,
  fchownSync,
  fsync,
  lstatSync,
  openSync,
  readlinkSync,
  renameSync,
  type Stats,
  writeFile,
  writeFileSync,
} from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  type Opened,
  openBeneath,
  refuseTooLong,
  relativeTo,
  withoutTrailingSlashes,
} from './open-beneath.ts'
import { type Owner, openDirectory } from './open-directory.ts'
import { errorCode, fromFsError, pathError } from './path-error.ts'

/** Where new content is written before it takes its place. */
export interface Staging {
  /**
   * On the file system of the workspace, and outside it, so that no tool ever sees a part of a file, not even one that a
   * crash has left.
   */
  readonly directory: string
  /** Whether it is on the disk before it takes its place. Where all goes with the server, there is no use in that. */
  readonly isSynced: boolean
}

export interface WriteOptions {
  readonly staging: Staging
  /** Whose the file and its new parents are. */
  readonly owner: Owner | null
}

interface Place extends Disposable {
  readonly parent: Opened
  readonly name: string
  readonly mode: number
}

const append = promisify(writeFile)
const sync = promisify(fsync)

/** So much goes into the kernel's memory, as what the ledger writes does. */
const AT_ONCE = 16_384

/** As many as the kernel follows. */
const MAX_SYMLINKS = 40

/** Writes `content` to `path`, creating its parents; answers where it went. */
export async function writeFileBeneath(
  root: string,
  path: string,
  content: Uint8Array,
  options: WriteOptions,
): Promise<string> {
  // Before anything is written: what the path is worth.
  using place = await placeFor(root, path, options.owner)
  try {
    const staged = await stageFile([content], options)
    return await putInPlace(place, staged)
  } catch (thrown) {
    throw fromFsError(thrown, path)
  }
}

/** Puts what was staged at `path`, creating its parents; answers where it went. Removes it when that cannot be. */
export async function placeStaged(
  root: string,
  path: string,
  staged: string,
  options: WriteOptions,
): Promise<string> {
  try {
    using place = await placeFor(root, path, options.owner)
    return await putInPlace(place, staged)
  } catch (thrown) {
    await rm(staged, { force: true })
    throw fromFsError(thrown, path)
  }
}

async function placeFor(root: string, path: string, owner: Owner | null): Promise<Place> {
  try {
    return await findPlace(root, path, owner)
  } catch (thrown) {
    throw fromFsError(thrown, path)
  }
}

/** A symlink is written through, as far as it stays inside: what it names is replaced, or made. */
async function findPlace(root: string, path: string, owner: Owner | null): Promise<Place> {
  let at = withoutTrailingSlashes(relativeTo(root, path))
  for (let hops = 0; hops < MAX_SYMLINKS; hops++) {
    const [directory, name] = split(at)
    if (name === '' || name === '.' || name === '..') refuseDirectory(root, at, path)
    refuseTooLong(root, at)
    const place = placeIn(await openDirectory(root, directory, owner), name, path)
    if (place.target === null) return place
    place[Symbol.dispose]()
    if (place.target.startsWith('/')) throw pathError('EXDEV', path)
    // Not normalised: what `..` means behind a symlink is for the kernel to say.
    at = `${directory}/${place.target}`
  }
  throw pathError('ELOOP', path)
}

/** What `name` is in a directory that is held, so that nothing but itself can be swapped; `target` of a symlink. */
function placeIn(parent: Opened, name: string, path: string): Place & { readonly target: string | null } {
  const entry = join(parent.pinnedPath, name)
  try {
    const stats = lstatIfThere(entry)
    const target = stats?.isSymbolicLink() ? readlinkSync(entry) : null
    if (stats !== null && target === null && !stats.isFile()) throw pathError('EISDIR', path)
    const mode = stats?.isFile() ? stats.mode & 0o777 : 0o644
    return { parent, name, mode, target, [Symbol.dispose]: () => parent[Symbol.dispose]() }
  } catch (thrown) {
    parent[Symbol.dispose]()
    throw thrown
  }
}

function lstatIfThere(path: string): Stats | null {
  try {
    return lstatSync(path)
  } catch (thrown) {
    if (errorCode(thrown) === 'ENOENT') return null
    throw thrown
  }
}

/** Throws for a path that can only be a directory: outside, missing, or no file. */
function refuseDirectory(root: string, at: string, path: string): never {
  using _directory = openBeneath(root, at, 'look')
  throw pathError('EISDIR', path)
}

/** Of a relative path. */
function split(path: string): [directory: string, name: string] {
  const slash = path.lastIndexOf('/')
  return [path.slice(0, Math.max(slash, 0)) || '.', path.slice(slash + 1)]
}

/** Writes a new file outside of all workspaces, as it will be there; answers its path. Leaves none when it fails. */
export async function stageFile(
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { staging, owner }: WriteOptions,
): Promise<string> {
  const staged = join(staging.directory, `${crypto.randomUUID()}.tmp`)
  try {
    // 'wx': must not exist, and a symlink is not followed.
    const fd = openSync(staged, 'wx', 0o600)
    try {
      // What may wait for the disk does so in a thread; all else is done sooner than a thread is asked.
      for await (const piece of pieces) {
        if (piece.length <= AT_ONCE) writeFileSync(fd, piece)
        else await append(fd, piece)
      }
      if (owner !== null) fchownSync(fd, owner.uid, owner.gid)
      if (staging.isSynced) await sync(fd)
    } finally {
      closeSync(fd)
    }
    return staged
  } catch (thrown) {
    await rm(staged, { force: true })
    throw thrown
  }
}

async function putInPlace(place: Place, staged: string): Promise<string> {
  try {
    chmodSync(staged, place.mode)
    // Whatever has the name now is replaced; a symlink is, too, not followed.
    renameSync(staged, join(place.parent.pinnedPath, place.name))
    return join(place.parent.realPath, place.name)
  } catch (thrown) {
    await rm(staged, { force: true })
    throw thrown
  }
}
