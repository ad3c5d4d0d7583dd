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
  const reader = body.getReader()
  const hash = startSha256()
  let bytes = 0
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  aborted.catch(() => {})
  const abort = () => reject(checks.signal?.reason)
  const over = () => checks.signal?.removeEventListener('abort', abort)
  if (checks.signal?.aborted) abort()
  else checks.signal?.addEventListener('abort', abort, { once: true })
  const broken = (reason: string) =>
    new SandboxError('content', `Cannot download ${checks.path}: ${reason} after ${bytes} bytes`)
  return new ReadableStream<Bytes>(
    {
      pull: async (controller) => {
        try {
          const { done, value } = await inTime(Promise.race([reader.read(), aborted]), checks.stallMs)
          if (!done) {
            hash.update(value)
            bytes += value.byteLength
            controller.enqueue(value)
            return
          }
          over()
          const sha256 = hash.hex()
          if (checks.sha256 === null || sha256 === checks.sha256) controller.close()
          else controller.error(broken(`its SHA-256 is ${sha256}, the server said ${checks.sha256},`))
        } catch (error) {
          over()
          controller.error(checks.signal?.aborted ? error : broken(describeThrown(error)))
          await reader.cancel(error)
        }
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

async function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  const { promise: stalled, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`nothing came for ${ms} ms`)), ms)
  try {
    return await Promise.race([promise, stalled])
  } finally {
    clearTimeout(timer)
  }
}
