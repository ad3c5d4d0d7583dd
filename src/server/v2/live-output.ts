/** Output of a running command on its way to those who want to see it at once. Slow ones miss some; nobody waits. */
import type { LiveLine } from '../../protocol/batch.ts'
import { giveBack } from '../../protocol/given-back.ts'
import { decode, endOfWhole, startOfWhole } from '../utf8.ts'

type Stream = LiveLine['stream']

/** What is kept for a reader who does not come, of each stream; then the oldest is dropped. */
const MAX_PENDING_BYTES = 65_536
/** More pieces than this are joined, so that a command that prints byte by byte costs no more. */
const MAX_PIECES = 64

/** Where a call's output is handed on. */
export class LiveOutput {
  readonly #readers = new Set<LiveReader>()
  readonly #offsets: Record<Stream, number> = { stdout: 0, stderr: 0 }

  push(stream: Stream, piece: Uint8Array): void {
    this.#offsets[stream] += piece.length
    for (const reader of this.#readers) reader.push(stream, piece)
  }

  /** From now on; `onData` is told when there is something to take. */
  read(onData: () => void): LiveReader {
    const reader = new LiveReader(onData, this.#offsets)
    this.#readers.add(reader)
    return reader
  }

  leave(reader: LiveReader): void {
    this.#readers.delete(reader)
  }
}

export type LivePiece = Omit<LiveLine, 'execution_id'>

export class LiveReader {
  readonly #onData: () => void
  readonly #pending: Readonly<Record<Stream, Pending>>

  constructor(onData: () => void, offsets: Readonly<Record<Stream, number>>) {
    this.#onData = onData
    this.#pending = { stdout: new Pending(offsets.stdout), stderr: new Pending(offsets.stderr) }
  }

  push(stream: Stream, piece: Uint8Array): void {
    this.#pending[stream].push(piece)
    this.#onData()
  }

  /** What came since the last time, in whole characters; `isLast`: also what will never become one. */
  take(isLast: boolean): LivePiece[] {
    return (['stdout', 'stderr'] as const).flatMap((stream) => {
      const taken = this.#pending[stream].take(isLast)
      return taken === null ? [] : [{ stream, ...taken }]
    })
  }
}

/** The newest bytes of one stream that its reader has not taken, copied. */
class Pending {
  #pieces: Uint8Array<ArrayBuffer>[] = []
  #bytes = 0
  /** Of the first byte that is here. */
  #offset: number

  constructor(offset: number) {
    this.#offset = offset
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(new Uint8Array(piece))
    this.#bytes += piece.length
    if (this.#bytes > MAX_PENDING_BYTES) this.#dropOldest()
    else if (this.#pieces.length > MAX_PIECES) this.#pieces = [this.#joined()]
  }

  /** To half of what may be here, so that it is not done for each piece; then to the begin of a character. */
  #dropOldest(): void {
    const all = this.#joined()
    let from = all.length - MAX_PENDING_BYTES / 2
    from += startOfWhole(all.subarray(from))
    this.#keep(all, from)
  }

  take(isLast: boolean): { readonly data: string; readonly offset: number } | null {
    if (this.#bytes === 0) return null
    const all = this.#joined()
    this.#pieces = [all]
    const end = isLast ? all.length : endOfWhole(all)
    if (end === 0) return null
    const taken = { data: decode(all.subarray(0, end)), offset: this.#offset }
    this.#keep(all, end)
    return taken
  }

  /** As one piece; one, the usual case, is not copied. */
  #joined(): Uint8Array<ArrayBuffer> {
    const [first] = this.#pieces
    if (this.#pieces.length === 1 && first !== undefined) return first
    const all = Buffer.concat(this.#pieces)
    for (const piece of this.#pieces) giveBack(piece)
    return all
  }

  /** Of all that is here, what begins at `from`. */
  #keep(all: Uint8Array<ArrayBuffer>, from: number): void {
    this.#bytes = all.length - from
    this.#pieces = this.#bytes === 0 ? [] : [new Uint8Array(all.subarray(from))]
    this.#offset += from
    giveBack(all)
  }
}
