/**
 * The one place where a path from outside becomes a file descriptor.
 *
 * On Linux the kernel resolves it (`openat2` with RESOLVE_BENEATH): whatever is swapped meanwhile, the descriptor is
 * inside the workspace. All that follows works on the descriptor, or on `/proc/self/fd/N/name`, which is pinned to it.
 * Elsewhere the real path is checked before the open, which a swap of symlinks can beat.
 */
import { closeSync, constants, fstatSync, openSync, readlinkSync, realpathSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { workspaceInside } from '../../protocol/routes.ts'
import { type NativeResult, native } from '../native.ts'
import { errorCode, fromFsError, pathError } from './path-error.ts'

const RESOLVE_NO_MAGICLINKS = 0x02
const RESOLVE_BENEATH = 0x08
const O_PATH = 0o10000000

/** The kernel answers EAGAIN when a rename elsewhere disturbed the resolution. */
const MAX_RETRIES = 100

/** The longest path that the kernel takes, in bytes. */
const MAX_PATH_BYTES = 4_095

/** Reading never blocks, and makes no terminal the server's own. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY

/** `look`: for its metadata, and as the parent of other operations. `read`: for its bytes; a regular file only. */
export type OpenFor = 'look' | 'read'

/** Something opened inside a workspace. Close it: `using opened = openBeneath(…)`. */
export interface Opened {
  readonly fd: number
  /** Names this very object in node:fs calls, also after it was moved. */
  readonly pinnedPath: string
  /** Where it was when it was opened, symlinks resolved. */
  readonly realPath: string
  [Symbol.dispose](): void
}

/** Opens `path` in the directory `root`; throws a PathError when it leads outside, or nowhere. */
export function openBeneath(root: string, whole: string, purpose: OpenFor): Opened {
  const path = relativeTo(root, whole)
  refuseTooLong(root, path)
  return openByKernel(root, path, purpose) ?? openByRealPath(root, path, purpose)
}

/**
 * `path` as it is from `root`: what a command sees of the workspace, and so what a model writes, is absolute. All other
 * absolute paths lead outside. What lies behind a relative one is for the kernel to say.
 */
export function relativeTo(root: string, path: string): string {
  if (!path.startsWith('/')) return path
  const seen = [workspaceInside, root].find((name) => path === name || path.startsWith(`${name}/`))
  if (seen === undefined) throw pathError('EXDEV', path)
  return path.slice(seen.length).replace(/^\/+/, '') || '.'
}

/** As directories may be written. Not by a regular expression: those take hours for a million slashes before an `x`. */
export function withoutTrailingSlashes(path: string): string {
  let end = path.length
  while (path[end - 1] === '/') end -= 1
  return path.slice(0, end)
}

/** Absolute, a path must be one that the kernel takes: answers name it so. */
export function refuseTooLong(root: string, path: string): void {
  if (Buffer.byteLength(root) + 1 + Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw pathError('ENAMETOOLONG', path)
  }
}

function openByKernel(root: string, path: string, purpose: OpenFor): Opened | null {
  const relative = withoutTrailingSlashes(path) || '.'
  const kernel = native()
  if (kernel === null) return null
  const rootFd = openSync(root, O_PATH | constants.O_DIRECTORY)
  try {
    const how = { flags: O_PATH, resolve: RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS }
    let result: NativeResult<number> = { ok: false, code: 'EAGAIN' }
    for (let attempt = 0; attempt < MAX_RETRIES && !result.ok && result.code === 'EAGAIN'; attempt++) {
      result = kernel.openat2(rootFd, relative, how)
    }
    if (result.ok) {
      const found = pinned(result.value)
      return purpose === 'look' ? found : reopened(found, path)
    }
    if (result.code === 'ENOSYS') return null
    throw pathError(result.code, path)
  } finally {
    closeSync(rootFd)
  }
}

/** To open a FIFO or a device is to do something to it: only what is known to be a regular file is opened. */
function reopened(found: Opened, path: string): Opened {
  using looked = found
  if (!fstatSync(looked.fd).isFile()) throw pathError('EISDIR', path)
  try {
    return pinned(openSync(looked.pinnedPath, READ_FLAGS))
  } catch (thrown) {
    throw fromFsError(thrown, path)
  }
}

function pinned(fd: number): Opened {
  const pinnedPath = `/proc/self/fd/${fd}`
  return opened(fd, pinnedPath, () => readlinkSync(pinnedPath))
}

/** The portable way. Exported for its test. */
export function openByRealPath(root: string, path: string, purpose: OpenFor): Opened {
  try {
    const realRoot = realpathSync(root)
    const realPath = realpathSync(join(realRoot, path))
    if (realPath !== realRoot && !realPath.startsWith(`${realRoot}/`)) throw pathError('EXDEV', path)
    if (purpose === 'read' && !statSync(realPath).isFile()) throw pathError('EISDIR', path)
    const fd = openSync(realPath, READ_FLAGS | constants.O_NOFOLLOW)
    return opened(fd, realPath, () => realPath)
  } catch (thrown) {
    const code = errorCode(thrown)
    throw code === '' ? thrown : pathError(code, path)
  }
}

function opened(fd: number, pinnedPath: string, realPath: () => string): Opened {
  return {
    fd,
    pinnedPath,
    get realPath() {
      return realPath()
    },
    [Symbol.dispose]: () => closeSync(fd),
  }
}
