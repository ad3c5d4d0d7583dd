/** Replaces a file inside a workspace in one step: its readers see the old content or the new, never a part. */
import { fstatSync } from 'node:fs'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { type Opened, openBeneath } from './open-beneath.ts'
import { errorCode, fromFsError, PathError, pathError } from './path-error.ts'

interface Target {
  /** Relative to the workspace. */
  readonly path: string
  readonly mode: number
}

/** Writes `content` to `path`, creating its parents; answers where it went. */
export async function writeFileBeneath(root: string, path: string, content: Uint8Array): Promise<string> {
  const target = findTarget(root, path)
  const name = basename(target.path)
  if (name === '..' || name === '.' || name === '') throw pathError('EISDIR', path)
  using parent = await openDirectory(root, dirname(target.path))
  try {
    await replaceIn(parent, name, content, target.mode)
    return join(parent.realPath, name)
  } catch (thrown) {
    throw fromFsError(thrown, path)
  }
}

/** A symlink is written through, as far as it stays inside; the file that it names is what gets replaced. */
function findTarget(root: string, path: string): Target {
  try {
    using existing = openBeneath(root, path, 'look')
    const stats = fstatSync(existing.fd)
    if (!stats.isFile()) throw pathError('EISDIR', path)
    using top = openBeneath(root, '.', 'look')
    return { path: relative(top.realPath, existing.realPath), mode: stats.mode & 0o777 }
  } catch (thrown) {
    if (thrown instanceof PathError && thrown.problem === 'missing') return { path, mode: 0o644 }
    throw thrown
  }
}

async function replaceIn(parent: Opened, name: string, content: Uint8Array, mode: number): Promise<void> {
  const temporary = join(parent.pinnedPath, `.sandbox-slots-${crypto.randomUUID()}.tmp`)
  try {
    // 'wx': must not exist, and a symlink is not followed.
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.chmod(mode)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, join(parent.pinnedPath, name))
  } catch (thrown) {
    await rm(temporary, { force: true })
    throw thrown
  }
}

/** Opens a directory, making what is missing of it one component at a time, each in its pinned parent. */
async function openDirectory(root: string, path: string): Promise<Opened> {
  const present = tryOpen(root, path)
  if (present !== null) return present
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  for (let depth = 1; depth <= parts.length; depth++) {
    const here = parts.slice(0, depth).join('/')
    using existing = tryOpen(root, here)
    if (existing !== null) continue
    using parent = openBeneath(root, parts.slice(0, depth - 1).join('/'), 'look')
    await makeDirectory(join(parent.pinnedPath, parts[depth - 1] ?? ''), here)
  }
  return openBeneath(root, path, 'look')
}

function tryOpen(root: string, path: string): Opened | null {
  try {
    return openBeneath(root, path, 'look')
  } catch (thrown) {
    if (thrown instanceof PathError && thrown.problem === 'missing') return null
    throw thrown
  }
}

async function makeDirectory(pinnedPath: string, shownPath: string): Promise<void> {
  try {
    await mkdir(pinnedPath, 0o755)
  } catch (thrown) {
    if (errorCode(thrown) !== 'EEXIST') throw fromFsError(thrown, shownPath)
  }
}
