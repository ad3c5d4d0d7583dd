/** Floor 3: files of a workspace as streams: what is sent, and what is made of the answer. Browser compatible. */
import * as v from 'valibot'
import { SandboxUsageError } from '../errors.ts'
import type { StreamBody } from '../ports/transport.ts'
import { giveBack } from '../protocol/given-back.ts'
import { filesRoute } from '../protocol/routes.ts'
import { abortSignal, checked, milliseconds, text } from '../usage.ts'
import { type ArtifactOutcome, artifactOutcome } from './artifact-results.ts'
import type { Raw } from './calls.ts'
import { emptyBody, verifiedBody } from './download-body.ts'
import { FileAnswer } from './file-answer.ts'
import type { CallOptions } from './options.ts'
import type { FileRequest } from './pending-call.ts'
import { startSha256 } from './sha256.ts'

/** What can be uploaded. A `Blob` may be a file on a disk (`Bun.file(path)`), or a browser's `File`. */
export type UploadData =
  | string
  | ArrayBuffer
  | Uint8Array<ArrayBuffer>
  | Blob
  | ReadableStream<Uint8Array<ArrayBuffer>>

/** How an upload ended. */
export interface UploadResult extends ArtifactOutcome {
  readonly path: string
  /** Bytes that were sent. */
  readonly bytes: number
  /** Of what was sent, in hexadecimal; the server's is the same, or `success` is false. Null without success. */
  readonly sha256: string | null
}

/** A file on its way down. */
export interface DownloadResult extends ArtifactOutcome {
  readonly path: string
  /** Bytes of the file, where the server tells. */
  readonly fileSize: number | null
  /** What the server says of the whole file, in hexadecimal. */
  readonly sha256: string | null
  /**
   * The content; empty without `success`. Read it to its end, or cancel it. Where it is cut, or nothing comes for
   * `timeoutMs`, the rest is asked for, `retry.attempts` requests in all. It fails with a `SandboxError` (`content`) when
   * those are spent, when the file has changed meanwhile, or when, at its end, its SHA-256 is not the server's.
   */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>
}

const fileOptions = v.strictObject({ timeoutMs: v.optional(milliseconds), signal: v.optional(abortSignal) })

/** Of what is hashed at a time. */
const pieceBytes = 262_144

/** Sends a file request through the slot; resolves to how it ended. */
export type SendFile = (request: FileRequest, options: CallOptions) => Promise<Raw>

export async function upload(
  send: SendFile,
  path: unknown,
  data: unknown,
  given: unknown,
): Promise<UploadResult> {
  const options = checked(fileOptions, given, 'upload options')
  const wanted = checkedPath(path)
  const source = sourceOf(data)
  const raw = await send({ method: 'PUT', path: wanted, body: source.body }, defined(options))
  const outcome = artifactOutcome(raw.settlement, raw.attempts)
  const answer = answerOf(raw)
  if (!outcome.success || answer === undefined)
    return Object.freeze({ ...outcome, path: wanted, bytes: 0, sha256: null })
  const { bytes, sha256 } = await source.sent()
  if (answer.sha256 === sha256) return Object.freeze({ ...outcome, path: wanted, bytes, sha256 })
  const message = `Cannot trust the upload of ${wanted}: its SHA-256 is ${sha256}, the server has ${answer.sha256}`
  const failure = Object.freeze({ code: 'bad-response', message, attempts: raw.attempts } as const)
  return Object.freeze({
    ...outcome,
    success: false,
    error: message,
    failure,
    path: wanted,
    bytes,
    sha256: null,
  })
}

/** What a download gets that says nothing of it. */
export interface DownloadDefaults {
  readonly timeoutMs: number
  /** Times that the server may be asked for it, the first included. */
  readonly attempts: number
}

export async function download(
  send: SendFile,
  path: unknown,
  given: unknown,
  defaults: DownloadDefaults,
): Promise<DownloadResult> {
  const options = checked(fileOptions, given, 'download options')
  const wanted = checkedPath(path)
  const raw = await send({ method: 'GET', path: wanted }, defined(options))
  const outcome = artifactOutcome(raw.settlement, raw.attempts)
  const answer = answerOf(raw)
  if (!outcome.success || answer === undefined) {
    return Object.freeze({ ...outcome, path: wanted, fileSize: null, sha256: null, body: emptyBody() })
  }
  const { sha256, size } = answer
  const body = verifiedBody(answer.body, {
    path: wanted,
    size,
    sha256,
    stallMs: options.timeoutMs ?? defaults.timeoutMs,
    signal: options.signal,
    // Without a hash nobody could tell whether the rest is of the same file.
    attempts: sha256 === null ? 1 : defaults.attempts,
    rest: async (bytes) => {
      const file = { method: 'GET', path: wanted, rest: { bytes, etag: `"${sha256}"` } } as const
      return restOf(await send(file, defined(options)), bytes, sha256)
    },
  })
  return Object.freeze({ ...outcome, path: wanted, fileSize: size, sha256, body })
}

/** The rest of a file, when it is that; or why it is not. */
async function restOf(
  raw: Raw,
  bytes: number,
  sha256: string | null,
): Promise<DownloadResult['body'] | string> {
  const rest = answerOf(raw)
  if (rest === undefined) return artifactOutcome(raw.settlement, raw.attempts).error ?? 'no file came'
  if (rest.from === bytes && rest.sha256 === sha256) return rest.body
  await rest.body.cancel()
  return rest.sha256 === sha256 ? 'the server gave another part of it' : 'the file has changed'
}

function answerOf({ settlement }: Raw): FileAnswer | undefined {
  const isFile = settlement.kind === 'answered' && settlement.value instanceof FileAnswer
  return isFile ? settlement.value : undefined
}

const filePath = v.pipe(
  text,
  v.check(
    (path) => filesRoute('slot', path) !== undefined,
    'it must be relative to the workspace, or begin with /workspace/, without ..',
  ),
)

function checkedPath(path: unknown): string {
  return checked(v.object({ path: filePath }), { path }, 'a file').path
}

function defined(options: v.InferOutput<typeof fileOptions>): CallOptions {
  const { timeoutMs, signal } = options
  return { ...(timeoutMs === undefined ? {} : { timeoutMs }), ...(signal === undefined ? {} : { signal }) }
}

/** What is sent, and, when all of it was, its size and hash. */
interface Source {
  readonly body: StreamBody
  sent(): Promise<{ readonly bytes: number; readonly sha256: string }>
}

function sourceOf(data: unknown): Source {
  if (data instanceof ReadableStream) return streamSource(unread(data))
  const isContent = typeof data === 'string' || data instanceof ArrayBuffer || isBytes(data)
  const blob = isContent ? new Blob([data]) : data
  if (!(blob instanceof Blob)) {
    const message = 'Cannot upload this: data must be a string, bytes, a Blob or a ReadableStream of bytes'
    throw new SandboxUsageError('data', message)
  }
  // A Blob is sent as it is, since browsers send no streams over HTTP/1.1; it can be read a second time.
  return { body: blob, sent: () => hashed(blob) }
}

function isBytes(data: unknown): data is Uint8Array<ArrayBuffer> {
  return data instanceof Uint8Array
}

/** Of a stream that was read before, its end would come at once, and be taken for the whole file. */
function unread<T>(stream: ReadableStream<T>): ReadableStream<T> {
  try {
    // Refuses what was read, or is being read, and does nothing to all else.
    new Response(stream)
    return stream
  } catch {
    throw new SandboxUsageError('data', 'Cannot upload this stream: it was read, or is being read, already')
  }
}

function streamSource(data: ReadableStream<Uint8Array<ArrayBuffer>>): Source {
  const hash = startSha256()
  let bytes = 0
  const counting = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
    transform: (chunk, controller) => {
      if (!isBytes(chunk))
        throw new TypeError(`The stream must give bytes, as Uint8Arrays, not a ${typeof chunk}`)
      hash.update(chunk)
      bytes += chunk.byteLength
      controller.enqueue(chunk)
    },
  })
  return { body: data.pipeThrough(counting), sent: async () => ({ bytes, sha256: hash.hex() }) }
}

/** Read in slices: Bun's stream of a file leaves the event loop no turn until its end. */
async function hashed(blob: Blob) {
  const hash = startSha256()
  let bytes = 0
  for (;;) {
    const piece = new Uint8Array(await blob.slice(bytes, bytes + pieceBytes).arrayBuffer())
    if (piece.byteLength === 0) return { bytes, sha256: hash.hex() }
    hash.update(piece)
    bytes += piece.byteLength
    giveBack(piece)
  }
}
