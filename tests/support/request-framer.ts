/** Finds where HTTP/1.1 requests begin and end in a stream of bytes, without changing them. */

/** A run of bytes that belongs to one request. */
export interface Piece {
  readonly bytes: Uint8Array
  /** There with a request's first bytes, which hold its whole head. */
  readonly head?: { readonly method: string; readonly path: string }
  /** With these bytes the request is complete. */
  readonly isLast: boolean
}

const headEnd = new TextEncoder().encode('\r\n\r\n')

/** A body's rest: so many bytes, or chunks up to the empty one. */
type Body = { readonly kind: 'counted'; left: number } | { readonly kind: 'chunked'; readonly chunks: Chunks }

export class RequestFramer {
  /** Of a head that is not complete. */
  #held: Uint8Array = new Uint8Array()
  #body: Body | undefined

  /** The pieces that these bytes complete; the bytes of a head are held back until all of it is there. */
  push(bytes: Uint8Array): Piece[] {
    const pieces: Piece[] = []
    let rest = bytes
    while (rest.length > 0) {
      const piece = this.#body === undefined ? this.#takeHead(rest) : this.#takeBody(this.#body, rest)
      if (piece === undefined) break
      pieces.push(piece.piece)
      rest = piece.rest
    }
    return pieces
  }

  #takeHead(bytes: Uint8Array): { piece: Piece; rest: Uint8Array } | undefined {
    const all = joined(this.#held, bytes)
    const end = indexOf(all, headEnd)
    if (end === -1) {
      this.#held = all
      return undefined
    }
    this.#held = new Uint8Array()
    const size = end + headEnd.length
    const text = new TextDecoder().decode(all.subarray(0, size))
    const [method = '', path = ''] = text.split(' ', 2)
    const body = bodyOf(text)
    const isLast = body.kind === 'counted' && body.left === 0
    this.#body = isLast ? undefined : body
    return {
      piece: { bytes: all.subarray(0, size), head: { method, path }, isLast },
      rest: all.subarray(size),
    }
  }

  #takeBody(body: Body, bytes: Uint8Array): { piece: Piece; rest: Uint8Array } {
    const size = body.kind === 'counted' ? Math.min(body.left, bytes.length) : body.chunks.take(bytes)
    if (body.kind === 'counted') body.left -= size
    const isLast = body.kind === 'counted' ? body.left === 0 : body.chunks.isOver
    if (isLast) this.#body = undefined
    return { piece: { bytes: bytes.subarray(0, size), isLast }, rest: bytes.subarray(size) }
  }
}

/** Walks over a chunked body. */
class Chunks {
  isOver = false
  /** Of the chunk's data and its line end. */
  #left = 0
  #line = ''
  #isTrailer = false

  /** How many of these bytes belong to the body. */
  take(bytes: Uint8Array): number {
    let at = 0
    while (at < bytes.length && !this.isOver) {
      if (this.#left > 0) {
        const size = Math.min(this.#left, bytes.length - at)
        this.#left -= size
        at += size
      } else {
        this.#line += String.fromCharCode(bytes[at] ?? 0)
        at += 1
        if (this.#line.endsWith('\r\n')) this.#endLine(this.#line.trim())
      }
    }
    return at
  }

  #endLine(line: string): void {
    this.#line = ''
    if (this.#isTrailer) {
      this.isOver = line === ''
      return
    }
    const size = Number.parseInt(line, 16)
    if (size === 0) this.#isTrailer = true
    else this.#left = size + 2
  }
}

function bodyOf(head: string): Body {
  if (/^transfer-encoding:.*chunked/im.test(head)) return { kind: 'chunked', chunks: new Chunks() }
  const length = /^content-length: *(\d+)/im.exec(head)?.[1]
  return { kind: 'counted', left: length === undefined ? 0 : Number(length) }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.length === 0) return second
  const all = new Uint8Array(first.length + second.length)
  all.set(first)
  all.set(second, first.length)
  return all
}

function indexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(wanted)
}
