/** Floor 3: a file's content on its way down, checked as it passes, taken up again where it was cut. Browser compatible. */
import { describeThrown, SandboxError } from '../errors.ts'
import { startSha256 } from './sha256.ts'

type Bytes = Uint8Array<ArrayBuffer>

/** What a body must keep to. */
export interface BodyChecks {
  readonly path: string
  /** In bytes; null when it is not known. */
  readonly size: number | null
  /** In hexadecimal; null when it is not known. */
  readonly sha256: string | null
  /** How long nothing may come. */
  readonly stallMs: number
  readonly signal: AbortSignal | undefined
  /** Times that the server may be asked for it, the first included. */
  readonly attempts: number
  /** Asks for the same content without its first bytes; or why there is none. */
  readonly rest: (bytes: number) => Promise<ReadableStream<Bytes> | string>
}

/** The body, failing where it is not what was sent. It is read no faster than it is taken. */
export function verifiedBody(body: ReadableStream<Bytes>, checks: BodyChecks): ReadableStream<Bytes> {
  return new ReadableStream<Bytes>(new Content(body, checks), { highWaterMark: 0 })
}

export function emptyBody(): ReadableStream<Bytes> {
  return new ReadableStream({ start: (controller) => controller.close() })
}

/** A chunk, the end, or why neither came. */
type Read = { readonly value: Bytes | undefined } | { readonly cut: string }

class Content implements UnderlyingDefaultSource<Bytes> {
  readonly #checks: BodyChecks
  readonly #hash = startSha256()
  #reader: ReadableStreamDefaultReader<Bytes>
  #bytes = 0
  #attempts = 1
  #failure: { readonly reason: unknown } | undefined

  constructor(body: ReadableStream<Bytes>, checks: BodyChecks) {
    this.#checks = checks
    this.#reader = body.getReader()
    if (checks.signal?.aborted) this.#abort()
    else checks.signal?.addEventListener('abort', this.#abort, { once: true })
  }

  async pull(controller: ReadableStreamDefaultController<Bytes>): Promise<void> {
    const chunk = await this.#next()
    if (chunk !== undefined) {
      this.#hash.update(chunk)
      this.#bytes += chunk.byteLength
      controller.enqueue(chunk)
      return
    }
    this.#forget()
    if (this.#failure === undefined) this.#checkHash()
    if (this.#failure === undefined) controller.close()
    else controller.error(this.#failure.reason)
  }

  async cancel(reason: unknown): Promise<void> {
    this.#forget()
    this.#failure ??= { reason }
    // One that was cut cannot be cancelled.
    await this.#reader.cancel(reason).catch(() => {})
  }

  /** The next chunk; undefined at the end, which a failure may be. */
  async #next(): Promise<Bytes | undefined> {
    while (this.#failure === undefined) {
      const read = await this.#read()
      if ('value' in read) return read.value
      // All of it came; only its end was cut.
      if (this.#bytes === this.#checks.size) return undefined
      if (this.#failure === undefined) await this.#takeUp(read.cut)
    }
    return undefined
  }

  async #read(): Promise<Read> {
    const { stallMs } = this.#checks
    const reader = this.#reader
    let isStalled = false
    const timer = setTimeout(() => {
      isStalled = true
      // Ends the read. (To race it against a promise that lives as long would hold every chunk.)
      reader.cancel().catch(() => {})
    }, stallMs)
    try {
      const { value } = await reader.read()
      return isStalled ? { cut: `nothing came for ${stallMs} ms` } : { value }
    } catch (error) {
      return { cut: describeThrown(error) }
    } finally {
      clearTimeout(timer)
    }
  }

  async #takeUp(cut: string): Promise<void> {
    if (this.#attempts >= this.#checks.attempts) {
      this.#fail(this.#broken(cut))
      return
    }
    this.#attempts += 1
    const rest = await this.#checks.rest(this.#bytes)
    if (typeof rest === 'string') this.#fail(this.#broken(`${cut}, then: ${rest},`))
    else if (this.#failure === undefined) this.#reader = rest.getReader()
    // It was given up meanwhile.
    else await rest.cancel(this.#failure.reason)
  }

  #checkHash(): void {
    const { sha256 } = this.#checks
    const actual = this.#hash.hex()
    if (sha256 === null || actual === sha256) return
    this.#fail(this.#broken(`its SHA-256 is ${actual}, the server said ${sha256},`))
  }

  #broken(reason: string): SandboxError {
    const { path } = this.#checks
    const attempts = this.#attempts === 1 ? '' : ` in ${this.#attempts} attempts`
    return new SandboxError(
      'content',
      `Cannot download ${path}: ${reason} after ${this.#bytes} bytes${attempts}`,
    )
  }

  /** Ends a read that is under way, too. */
  #fail(reason: unknown): void {
    this.#failure ??= { reason }
    this.#reader.cancel(reason).catch(() => {})
  }

  readonly #abort = (): void => this.#fail(this.#checks.signal?.reason)

  #forget(): void {
    this.#checks.signal?.removeEventListener('abort', this.#abort)
  }
}
