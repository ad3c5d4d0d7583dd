/** sha256 of files, remembered as long as they do not change: a download in ranges asks for it again and again. */
import type { Stats } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { readInto } from '../../files/read-file.ts'

const MAX_REMEMBERED = 1_000
/** A file that changed so recently may change again within one tick of its clock, unseen. */
const SETTLED_MS = 1_000
const PIECE_BYTES = 262_144

export class FileHashes {
  readonly #known = new Map<string, string>()

  /** Of the first `stats.size` bytes of an open file, in hex. */
  async of(fd: number, stats: Stats): Promise<string> {
    const { dev, ino, size, mtimeMs, ctimeMs } = stats
    const key = [dev, ino, size, mtimeMs, ctimeMs].join()
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const isSettled = Date.now() - ctimeMs > SETTLED_MS
    const hash = await hashOf(fd, size)
    if (isSettled) this.#remember(key, hash)
    return hash
  }

  #remember(key: string, hash: string): void {
    this.#known.set(key, hash)
    const [oldest] = this.#known.keys()
    if (this.#known.size > MAX_REMEMBERED && oldest !== undefined) this.#known.delete(oldest)
  }
}

async function hashOf(fd: number, size: number): Promise<string> {
  const hasher = new Bun.CryptoHasher('sha256')
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, size))
  for (let at = 0; at < size; ) {
    const piece = buffer.subarray(0, Math.min(buffer.length, size - at))
    const length = await readInto(fd, piece, at)
    if (length === 0) break
    hasher.update(piece.subarray(0, length))
    at += length
    // Reading from memory never waits: others get their turn here.
    await setImmediate()
  }
  return hasher.digest('hex')
}
