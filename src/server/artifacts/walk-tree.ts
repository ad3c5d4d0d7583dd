/** Walks a directory of a workspace in small steps, in an order that is always the same. */
import { fstatSync, type Stats } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { posix } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { openBeneath } from '../files/open-beneath.ts'
import { PathError } from '../files/path-error.ts'
import { inOrder } from './in-order.ts'

export interface TreeEntry {
  /** Relative to the workspace. */
  readonly path: string
  readonly isDirectory: boolean
  readonly stats: Stats
}

/** A name in a directory, as the directory tells it. */
interface Name {
  readonly path: string
  readonly kind: 'directory' | 'symlink' | 'other'
}

/** After so many entries others get a turn: no tree, however large, keeps the server from answering. */
const ENTRIES_PER_TURN = 64

/**
 * The regular files and directories below the directory `top`.
 *
 * A symlink that stays inside the workspace is listed under its own name with its target's type and size, and not
 * descended into; other symlinks, and sockets, FIFOs and devices, are left out. The order is that of base servers: of
 * one directory by name; of a tree, directories before files in each directory, and the last directory is entered first.
 * Nothing is looked at before it is asked for: who takes 5,000 entries of a million pays for 5,000.
 */
export async function* walkTree(root: string, top: string, recursive: boolean): AsyncGenerator<TreeEntry> {
  const waiting = [top]
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    const names = await namesIn(root, here)
    if (!recursive) return yield* entriesOf(root, names)
    const maybeDirectories = names.filter(({ kind }) => kind !== 'other')
    for await (const entry of entriesOf(root, maybeDirectories)) if (entry.isDirectory) yield entry
    const maybeFiles = names.filter(({ kind }) => kind !== 'directory')
    for await (const entry of entriesOf(root, maybeFiles)) if (!entry.isDirectory) yield entry
    for (const { path, kind } of names) if (kind === 'directory') waiting.push(path)
  }
}

async function* entriesOf(root: string, names: readonly Name[]): AsyncGenerator<TreeEntry> {
  for (const [index, { path }] of names.entries()) {
    if (index % ENTRIES_PER_TURN === 0) await setImmediate()
    const stats = statBeneath(root, path)
    if (stats?.isFile() || stats?.isDirectory()) yield { path, isDirectory: stats.isDirectory(), stats }
  }
}

/** In order; none for a directory that is gone, or that may not be read. */
async function namesIn(root: string, directory: string): Promise<Name[]> {
  const entries = await readBeneath(root, directory).catch(() => [])
  const names = entries.map((entry): Name => {
    const kind = entry.isDirectory() ? 'directory' : entry.isSymbolicLink() ? 'symlink' : 'other'
    return { path: posix.join(directory, entry.name), kind }
  })
  return await inOrder(names, (a, b) => (a.path < b.path ? -1 : 1))
}

async function readBeneath(root: string, directory: string) {
  using opened = openBeneath(root, directory, 'look')
  return await readdir(opened.pinnedPath, { withFileTypes: true })
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
