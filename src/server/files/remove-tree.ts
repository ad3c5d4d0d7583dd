/** Deletes a directory tree, whatever a tool call made of it: locked directories, a path longer than any that can be said. */
import { chmodSync, lstatSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * Deeper directories are moved up before they are deleted: Bun's `rm` takes 13 s for a path of 1,900 names, and more
 * than its square for a longer one.
 */
const MAX_DEPTH = 32

const slash = Buffer.from('/')

/** Never follows a symlink. Does nothing when there is nothing. */
export async function removeTree(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) await makeShallow(path)
  await rm(path, { recursive: true, force: true })
}

interface Directory {
  /** In bytes, since a name need not be UTF-8. */
  readonly path: Buffer
  readonly depth: number
}

/** What goes wrong here, since it is deleted elsewhere too, is for the deletion itself to tell. */
async function makeShallow(root: string): Promise<void> {
  const waiting: Directory[] = [{ path: Buffer.from(root), depth: 0 }]
  for (let here = waiting.pop(); here !== undefined; here = waiting.pop()) {
    for (const name of await directoriesIn(here.path)) {
      const path = Buffer.concat([here.path, slash, name])
      if (here.depth < MAX_DEPTH) waiting.push({ path, depth: here.depth + 1 })
      else waiting.push({ path: await movedUp(root, path), depth: 1 })
    }
  }
}

async function directoriesIn(path: Buffer): Promise<Buffer[]> {
  // Only root may delete from a directory that its owner cannot write to.
  unlock(path)
  // Bun gives types with names of text alone; latin1 is the text that keeps every byte.
  const entries = await readdir(path, { withFileTypes: true, encoding: 'latin1' }).catch(() => [])
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => Buffer.from(name, 'latin1'))
}

function unlock(directory: Buffer): void {
  try {
    chmodSync(directory, 0o700)
  } catch {
    // The deletion will tell.
  }
}

async function movedUp(root: string, path: Buffer): Promise<Buffer> {
  // A directory that is moved must be writable itself: its `..` changes.
  unlock(path)
  const target = join(root, `.removed-${crypto.randomUUID()}`)
  return await rename(path, target).then(
    () => Buffer.from(target),
    () => path,
  )
}
