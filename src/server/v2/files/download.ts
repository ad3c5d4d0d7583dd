/** `GET /files/{slot}/{path}`: a file, or a range of it, as it is. */
import { closeSync } from 'node:fs'
import { openBeneath } from '../../files/open-beneath.ts'
import { pathError } from '../../files/path-error.ts'
import { readInto, statOf } from '../../files/read-file.ts'
import { wantedRange } from './byte-range.ts'
import type { FileHashes } from './file-hashes.ts'

/** Smaller or larger, the pieces that wait for the collector take more memory, here and where they arrive. */
const PIECE_BYTES = 65_536

/**
 * Does not wait for the slot's running call: reading changes nothing, and shows the file as it is. Throws a PathError.
 */
export async function download(
  request: Request,
  workspace: string,
  path: string,
  hashes: FileHashes,
): Promise<Response> {
  const file = openBeneath(workspace, path, 'read')
  // The body closes it, when there is one.
  let close = () => file[Symbol.dispose]()
  try {
    const stats = await statOf(file.fd)
    if (!stats.isFile()) throw pathError('EISDIR', path)
    const { size } = stats
    const etag = `"${await hashes.of(file.fd, stats)}"`
    // Bun sends a stream without its Content-Length.
    const headers = new Headers({ ...fixedHeaders, etag, 'x-file-size': String(size) })
    if (isNamed(request.headers.get('if-none-match'), etag))
      return new Response(null, { status: 304, headers })
    const wanted = wantedRange(isCurrent(request, etag) ? request.headers.get('range') : null, size)
    if (wanted.kind === 'none') {
      headers.set('content-range', `bytes */${size}`)
      return new Response(null, { status: 416, headers })
    }
    const [from, to] = wanted.kind === 'part' ? [wanted.from, wanted.to] : [0, size - 1]
    if (wanted.kind === 'part') headers.set('content-range', `bytes ${from}-${to}/${size}`)
    headers.set('content-length', String(to - from + 1))
    const isHead = request.method === 'HEAD'
    const body = isHead ? null : bodyOf(file.fd, from, to + 1)
    if (!isHead) close = () => {}
    return new Response(body, { status: wanted.kind === 'part' ? 206 : 200, headers })
  } finally {
    close()
  }
}

/** What a tool wrote is nobody's page: a browser must neither guess its type nor show it as this server's own. */
const fixedHeaders = {
  'content-type': 'application/octet-stream',
  'content-disposition': 'attachment',
  'content-security-policy': 'sandbox',
  'x-content-type-options': 'nosniff',
  'accept-ranges': 'bytes',
  'cache-control': 'no-cache',
}

function isNamed(header: string | null, etag: string): boolean {
  return header?.split(',').some((one) => one.trim() === etag || one.trim() === '*') ?? false
}

/** A range of another version than the client has is of no use to it. */
function isCurrent({ headers }: Request, etag: string): boolean {
  const condition = headers.get('if-range')
  return condition === null || condition.trim() === etag
}

/** As fast as it is read. A file that became shorter meanwhile cuts the answer: it is not what its headers say. */
function bodyOf(fd: number, from: number, end: number): ReadableStream<Uint8Array> {
  let at = from
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
    const buffer = new Uint8Array(Math.min(PIECE_BYTES, end - at))
    const length = at < end ? await readInto(fd, buffer, at) : 0
    at += length
    if (length > 0) controller.enqueue(buffer.subarray(0, length))
    if (at < end && length === buffer.length) return
    closeSync(fd)
    if (at < end) controller.error(new Error('The file became shorter while it was read'))
    else controller.close()
  }
  return new ReadableStream({ pull, cancel: () => closeSync(fd) }, { highWaterMark: 0 })
}
