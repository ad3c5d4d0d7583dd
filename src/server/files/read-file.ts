/** Reads the head of a regular file inside a workspace. */
import { fstat, read, type Stats } from 'node:fs'
import { promisify } from 'node:util'
import { openBeneath } from './open-beneath.ts'
import { fromFsError, pathError } from './path-error.ts'

const readFd = promisify(read)
const statFd = promisify(fstat)

export interface FileHead {
  readonly bytes: Uint8Array
  /** Of the whole file. */
  readonly size: number
  readonly realPath: string
}

/** The metadata of an open descriptor. */
export function statOf(fd: number): Promise<Stats> {
  return statFd(fd)
}

/** At most the first `maxBytes` of the regular file at `path`. */
export async function readFileHead(root: string, path: string, maxBytes: number): Promise<FileHead> {
  using file = openBeneath(root, path, 'read')
  const stats = await statOf(file.fd)
  if (!stats.isFile()) throw pathError('EISDIR', path)
  try {
    // The size is only a hint: what is read counts.
    const buffer = new Uint8Array(Math.min(maxBytes, stats.size))
    const length = await readInto(file.fd, buffer, 0)
    return { bytes: buffer.subarray(0, length), size: stats.size, realPath: file.realPath }
  } catch (thrown) {
    throw fromFsError(thrown, path)
  }
}

/** Fills `buffer` from `position`; answers how many bytes there were. */
export async function readInto(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await readFd(fd, buffer, filled, buffer.length - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled
}
