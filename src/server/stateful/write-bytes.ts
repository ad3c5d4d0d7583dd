/** Writing to a shell without waiting for it. */
import { write, writeSync } from 'node:fs'
import { promisify } from 'node:util'

/** A pipe or socket that is empty takes as much at once. */
const EMPTY_BYTES = 65_536
const writeFd = promisify(write)

/** Writes all; resolves when it is written, or when nobody is left to read it. What fits at once is written at once. */
export async function writeBytes(fd: number, bytes: Uint8Array): Promise<void> {
  try {
    if (bytes.length <= EMPTY_BYTES) writeSync(fd, bytes)
    else for (let at = 0; at < bytes.length; ) at += (await writeFd(fd, bytes, at)).bytesWritten
  } catch {
    // It is dead, and has not taken it.
  }
}
