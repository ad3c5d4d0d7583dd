/** Walks a directory of a workspace in small steps, in an order that is always the same. */
import { fstatSync, type Stats } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { posix } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { openBeneath } from '../files/open-beneath.ts'
import { PathError } from '../files/path-error.ts'

export interface TreeEntry {
  /** Relative to the workspace. */
  readonly path: string
  readonly isDirectory: boolean
  readonly stats: Stats
}

interface FoundEntry extends TreeEntry {
  readonly isSymlink: boolean
}

/** After so many entries others get a turn: no tree, however large, keeps the server from answering. */
const ENTRIES_PER_TURN = 64

/**
 * The regular files and directories below the directory `top`.
 *
 * A symlink that stays inside the workspace is listed under its own name with its target's type and size, and not
 * descended into; other symlinks, and sockets, FIFOs and devices, are left out. The order is that of base servers: of
 * one directory by name; of a tree, directories before files in each directory, and the last directory is entered first.
 */
export async function* walkTree(root: string, top: string, recursive: boolean): AsyncGenerator<TreeEntry> {
  const waiting = [top]
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    const entries = await entriesOf(root, here)
    const ordered = recursive ? directoriesFirst(entries) : entries
    yield* ordered
    if (!recursive) return
    for (const entry of ordered) if (entry.isDirectory && !entry.isSymlink) waiting.push(entry.path)
  }
}

function directoriesFirst(entries: readonly FoundEntry[]): FoundEntry[] {
  return [...entries.filter((entry) => entry.isDirectory), ...entries.filter((entry) => !entry.isDirectory)]
}

/** In order of their names. */
async function entriesOf(root: string, directory: string): Promise<FoundEntry[]> {
  const names = await namesIn(root, directory)
  const found: FoundEntry[] = []
  for (const [index, { name, isSymlink }] of names.entries()) {
    if (index % ENTRIES_PER_TURN === 0) await setImmediate()
    const path = posix.join(directory, name)
    const stats = statBeneath(root, path)
    if (stats?.isFile() || stats?.isDirectory()) {
      found.push({ path, isSymlink, isDirectory: stats.isDirectory(), stats })
    }
  }
  return found
}

async function namesIn(root: string, directory: string) {
  using opened = openBeneath(root, directory, 'look')
  const entries = await readdir(opened.pinnedPath, { withFileTypes: true }).catch(() => [])
  return entries
    .map((entry) => ({ name: entry.name, isSymlink: entry.isSymbolicLink() }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Symlinks resolved; `null` for what is gone, leads outside, or cannot be named in UTF-8. */
function statBeneath(root: string, path: string): Stats | null {
  try {
    using opened = openBeneath(root, path, 'look')
    return fstatSync(opened.fd)
  } catch (thrown) {
    if (thrown instanceof PathError) return null
    throw thrown
  }
}
