/** One output of a long-lived shell, taken in pieces: what was printed up to a moment, apart from what comes later. */
import { closeSync, write } from 'node:fs'
import { promisify } from 'node:util'
import { errorCode } from '../files/path-error.ts'
import { native } from '../native.ts'
import { settlesWithin } from '../sandbox/alarm.ts'
import { newKept, type OutputEnds, type Reading, readPipe } from '../sandbox/collect-output.ts'
import type { Pipe } from '../sandbox/shell-process.ts'

const MARK_BYTES = 16
/** Our mark comes at once, unless something in the sandbox reads the pipe, too. */
const MARK_MS = 5_000
const nothing = Buffer.alloc(0)
const writeFd = promisify(write)

/**
 * We hold the writing end of the pipe, too. When the shell has reported, all that it printed is in the pipe: we write a
 * mark after it that is made only then, so nobody can have printed it, and read up to the mark.
 */
export class SyncedOutput {
  readonly #pipe: Pipe
  readonly #reading: Reading
  #kept = newKept()
  #mark: Buffer | null = null
  #reached: () => void = () => {}
  #taken: OutputEnds | null = null
  /** What may be the beginning of the mark. */
  #held: Buffer = nothing
  #writing: Promise<void> = Promise.resolve()

  constructor(pipe: Pipe) {
    this.#pipe = pipe
    this.#reading = readPipe(pipe.readFd, (chunk) => this.#push(chunk))
  }

  #push(chunk: Uint8Array): void {
    const mark = this.#mark
    if (mark === null) {
      this.#kept.push(chunk)
      return
    }
    const bytes = Buffer.concat([this.#held, chunk])
    const at = bytes.indexOf(mark)
    if (at === -1) {
      const end = Math.max(0, bytes.length - mark.length + 1)
      if (end > 0) this.#kept.push(bytes.subarray(0, end))
      this.#held = bytes.subarray(end)
      return
    }
    if (at > 0) this.#kept.push(bytes.subarray(0, at))
    this.#reset()
    if (at + mark.length < bytes.length) this.#kept.push(bytes.subarray(at + mark.length))
  }

  #reset(): void {
    this.#taken = this.#kept.ends
    this.#kept = newKept()
    this.#mark = null
    this.#held = nothing
    this.#reached()
  }

  /** A program that made the pipe not block leaves it so to all who hold it. */
  unblock(): void {
    native()?.setBlocking(this.#pipe.writeFd)
  }

  /** What was printed since the last time; `null` when somebody else reads it. One at a time. */
  async take(): Promise<OutputEnds | null> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#taken = null
    this.#reached = resolve
    this.#mark = Buffer.from(crypto.getRandomValues(new Uint8Array(MARK_BYTES)))
    this.#writing = this.#write(this.#mark)
    await settlesWithin(promise, MARK_MS)
    return this.#taken
  }

  /** So few bytes are written whole, or not at all. */
  async #write(mark: Buffer): Promise<void> {
    while (this.#mark === mark) {
      try {
        await writeFd(this.#pipe.writeFd, mark)
        return
      } catch (thrown) {
        if (errorCode(thrown) !== 'EAGAIN') return
        this.unblock()
      }
    }
  }

  /** Frees the pipe; whoever still writes to it learns that nobody reads. */
  close(): void {
    void this.#reading.cancel()
    void this.#writing.then(() => closeSync(this.#pipe.writeFd))
  }
}
