/** Keeps the head and the tail of what a command prints, and counts the rest. */

import { closeSync } from 'node:fs'
import { giveBack } from '../../protocol/given-back.ts'
import { decode, endOfWhole, startOfWhole } from '../utf8.ts'
import { settlesWithin } from './alarm.ts'

/** What is kept of stdout and stderr, each: enough for 50,000 characters, and half as many of the tail. */
const HEAD_BYTES = 200_000
const TAIL_BYTES = 100_000
/** How long to read on when the command has ended and somebody who still holds its pipe goes on printing. */
const DRAIN_MS = 2_000
/** More pieces than this are joined, so that a command that prints byte by byte costs no more. */
const MAX_PIECES = 64

/** Bytes of bounded size from a stream of any size. What is pushed stays its owner's: what is kept is copied. */
export class KeptOutput {
  #head: Uint8Array[] = []
  #headBytes = 0
  /** A ring, made when it is needed. */
  #tail = new Uint8Array()
  /** All that came after the head. */
  #tailBytes = 0
  #chunks = 0

  constructor(
    readonly maxHeadBytes: number,
    readonly maxTailBytes: number,
  ) {}

  push(chunk: Uint8Array): void {
    this.#chunks += 1
    const forHead = chunk.subarray(0, this.maxHeadBytes - this.#headBytes)
    if (forHead.length > 0) {
      this.#head.push(new Uint8Array(forHead))
      this.#headBytes += forHead.length
      if (this.#head.length > MAX_PIECES) this.#head = [joined(this.#head)]
    }
    if (forHead.length < chunk.length) this.#pushTail(chunk.subarray(forHead.length))
  }

  #pushTail(piece: Uint8Array): void {
    const max = this.maxTailBytes
    if (this.#tail.length === 0) this.#tail = new Uint8Array(max)
    this.#tailBytes += piece.length
    const newest = piece.subarray(Math.max(0, piece.length - max))
    const at = (this.#tailBytes - newest.length) % max
    const upToEnd = newest.subarray(0, max - at)
    this.#tail.set(upToEnd, at)
    this.#tail.set(newest.subarray(upToEnd.length), 0)
  }

  /** All bytes, as far as they were counted. */
  get bytes(): number {
    return this.#headBytes + this.#tailBytes
  }

  /** Grows as long as something comes. */
  get chunks(): number {
    return this.#chunks
  }

  /** What is left of it, as text; invalid UTF-8 becomes U+FFFD. */
  get ends(): OutputEnds {
    const { bytes } = this
    const head = joined(this.#head)
    if (this.#tailBytes <= this.maxTailBytes) {
      return { head: decode(joined([head, this.#tail.subarray(0, this.#tailBytes)])), tail: null, bytes }
    }
    const begin = this.#tailBytes % this.maxTailBytes
    const tail = joined([this.#tail.subarray(begin), this.#tail.subarray(0, begin)])
    return {
      head: decode(head.subarray(0, endOfWhole(head))),
      tail: decode(tail.subarray(startOfWhole(tail))),
      bytes,
    }
  }
}

/** `tail` is `null` when the head is everything. */
export interface OutputEnds {
  readonly head: string
  readonly tail: string | null
  /** How many were printed. */
  readonly bytes: number
}

export const noOutput: OutputEnds = { head: '', tail: null, bytes: 0 }

/** An interactive shell prints one each time that it is interrupted. */
export function withoutLastNewlines({ head, tail, bytes }: OutputEnds): OutputEnds {
  const last = tail ?? head
  const kept = last.replace(/\n+$/, '')
  const counted = bytes - (last.length - kept.length)
  return tail === null ? { head: kept, tail, bytes: counted } : { head, tail: kept, bytes: counted }
}

/** For what a command prints. */
export function newKept(): KeptOutput {
  return new KeptOutput(HEAD_BYTES, TAIL_BYTES)
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(pieces)
}

/** A pipe or socket that is being read. */
export interface Reading {
  readonly ended: Promise<void>
  /** Stops reading; resolves when `ended` has. */
  cancel(): Promise<void>
}

/** Reads to the end, each piece into `push`. */
export function readFd(fd: number, push: (chunk: Uint8Array<ArrayBuffer>) => void): Reading {
  const reader = Bun.file(fd).stream().getReader()
  const read = async (): Promise<void> => {
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) push(next.value)
    } catch {
      // A pipe that breaks has ended.
    }
  }
  const ended = read()
  const cancel = async () => {
    // One that broke cannot be cancelled.
    await reader.cancel().catch(() => {})
    await ended
  }
  return { ended, cancel }
}

/** Reads the pipe to its end, each piece into `push`, then closes it. */
export function readPipe(fd: number, push: (chunk: Uint8Array<ArrayBuffer>) => void): Reading {
  const { ended, cancel } = readFd(fd, push)
  return { ended: ended.then(() => closeSync(fd)), cancel }
}

/** One output of a running command, on its way into what is kept. */
export interface Collecting extends Reading {
  readonly kept: KeptOutput
}

/** Reads the pipe to its end, each piece into `push`, which has it only meanwhile: then its memory is given back. */
export function collect(
  fd: number,
  kept: KeptOutput,
  push: (kept: KeptOutput, chunk: Uint8Array) => void,
): Collecting {
  const reading = readPipe(fd, (chunk) => {
    push(kept, chunk)
    giveBack(chunk)
  })
  return { kept, ...reading }
}

/**
 * Waits for the end of all outputs of a command that has exited, but not for strangers who hold its pipes: until nothing
 * has come for `quietMs`.
 */
export async function drain(outputs: readonly Collecting[], quietMs: number): Promise<void> {
  const ended = Promise.all(outputs.map((output) => output.ended))
  const giveUpAt = performance.now() + DRAIN_MS
  let seen = -1
  while (performance.now() < giveUpAt) {
    const chunks = outputs.reduce((sum, output) => sum + output.kept.chunks, 0)
    if (chunks === seen) break
    seen = chunks
    if (await settlesWithin(ended, quietMs)) return
  }
  await Promise.all(outputs.map((output) => output.cancel()))
}
