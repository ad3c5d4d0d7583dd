/** Deletes a directory tree, whatever permissions a tool call gave to it. */
import { chmod, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

/** Never follows a symlink. Does nothing when there is nothing. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true })
  } catch {
    // Only root may delete from a directory that its owner cannot write to.
    await unlock(path)
    await rm(path, { recursive: true, force: true })
  }
}

async function unlock(directory: string): Promise<void> {
  await chmod(directory, 0o700)
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    if (entry.isDirectory()) await unlock(join(directory, entry.name))
  }
}
