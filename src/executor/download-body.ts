/** Floor 3: a file's content on its way down, checked as it passes. Browser compatible. */
import { describeThrown, SandboxError } from '../errors.ts'
import { startSha256 } from './sha256.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** What a body must keep to. */
export interface BodyChecks {
  readonly path: string
  /** In hexadecimal; null when it is not known. */
  readonly sha256: string | null
  /** How long nothing may come. */
  readonly stallMs: number
  readonly signal: AbortSignal | undefined
}

/** The body, failing where it is not what was sent. It is read no faster than it is taken. */
export function verifiedBody(body: ReadableStream<Bytes>, checks: BodyChecks): ReadableStream<Bytes> {
  const { path, sha256, stallMs, signal } = checks
  const reader = body.getReader()
  const hash = startSha256()
  let bytes = 0
  let failure: { readonly reason: unknown } | undefined
  const broken = (reason: string) =>
    new SandboxError('content', `Cannot download ${path}: ${reason} after ${bytes} bytes`)
  // Ends a read that is under way, too. (To race it against a promise that lives as long would hold every chunk.)
  const fail = (reason: unknown) => {
    failure ??= { reason }
    reader.cancel(reason).catch(() => {})
  }
  const abort = () => fail(signal?.reason)
  const over = () => signal?.removeEventListener('abort', abort)
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })

  const next = async (): Promise<Bytes | undefined> => {
    const timer = setTimeout(() => fail(broken(`nothing came for ${stallMs} ms`)), stallMs)
    try {
      const { value } = await reader.read()
      return value
    } catch (error) {
      fail(broken(describeThrown(error)))
      return undefined
    } finally {
      clearTimeout(timer)
    }
  }
  const end = () => {
    const actual = hash.hex()
    if (sha256 !== null && actual !== sha256)
      fail(broken(`its SHA-256 is ${actual}, the server said ${sha256},`))
  }
  return new ReadableStream<Bytes>(
    {
      pull: async (controller) => {
        const chunk = failure === undefined ? await next() : undefined
        if (chunk !== undefined) {
          hash.update(chunk)
          bytes += chunk.byteLength
          controller.enqueue(chunk)
          return
        }
        over()
        if (failure === undefined) end()
        if (failure === undefined) controller.close()
        else controller.error(failure.reason)
      },
      cancel: (reason) => {
        over()
        return reader.cancel(reason)
      },
    },
    { highWaterMark: 0 },
  )
}

export function emptyBody(): ReadableStream<Bytes> {
  return new ReadableStream({ start: (controller) => controller.close() })
}
