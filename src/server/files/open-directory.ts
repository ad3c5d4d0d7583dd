/** Opens a directory inside a workspace, making what is missing of it. */
import { chown, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { type Opened, openBeneath } from './open-beneath.ts'
import { errorCode, fromFsError, PathError } from './path-error.ts'

/** A user and a group of this machine. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** After so many components others get a turn: a path may have 2,000 of them. */
const PARTS_PER_TURN = 32

/** One component at a time, each made in its parent, which is held. New directories belong to `owner`. */
export async function openDirectory(root: string, path: string, owner: Owner | null): Promise<Opened> {
  const present = openIfThere(root, path)
  if (present !== null) return present
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  let here = openBeneath(root, '.', 'look')
  for (let depth = 1; depth <= parts.length; depth++) {
    using left = here
    if (depth % PARTS_PER_TURN === 0) await setImmediate()
    here = await enter(root, left, parts.slice(0, depth), owner)
  }
  return here
}

async function enter(
  root: string,
  from: Opened,
  parts: readonly string[],
  owner: Owner | null,
): Promise<Opened> {
  const name = parts.at(-1) ?? ''
  const path = parts.join('/')
  // There already, and maybe a symlink: where that leads is judged from the workspace.
  if (name === '..' || !(await makeDirectory(join(from.pinnedPath, name), path))) {
    return openBeneath(root, path, 'look')
  }
  const made = openBeneath(from.pinnedPath, name, 'look')
  // By the descriptor: whatever has that name by now, this is in the workspace.
  if (owner !== null) await chown(made.pinnedPath, owner.uid, owner.gid)
  return made
}

/** Whether it had to be made. */
async function makeDirectory(pinnedPath: string, shownPath: string): Promise<boolean> {
  try {
    await mkdir(pinnedPath, 0o755)
    return true
  } catch (thrown) {
    if (errorCode(thrown) === 'EEXIST') return false
    throw fromFsError(thrown, shownPath)
  }
}

/** What `path` leads to, or `null` when nothing is there. */
export function openIfThere(root: string, path: string): Opened | null {
  try {
    return openBeneath(root, path, 'look')
  } catch (thrown) {
    if (thrown instanceof PathError && thrown.problem === 'missing') return null
    throw thrown
  }
}
