/** Keeps the head of what a command prints, and counts the rest. */

/** How long to wait for more of a pipe whose command has ended but which somebody still holds. */
const QUIET_MS = 250
/** The same, when that somebody goes on printing. */
const DRAIN_MS = 2_000

/** Text of bounded size from a stream of any size. Invalid UTF-8 becomes U+FFFD. */
export class OutputHead {
  #text = ''
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  #bytes = 0
  #chunks = 0

  /** `maxUnits` UTF-16 units are kept at least; more, by at most one chunk. */
  constructor(readonly maxUnits: number) {}

  push(chunk: Uint8Array): void {
    this.#chunks += 1
    this.#bytes += chunk.length
    if (this.#isFull) return
    // A unit takes at least one byte, and at most three make one: more than this can never be shown.
    const wanted = chunk.subarray(0, this.maxUnits * 3 + 4)
    this.#text += this.#decoder.decode(wanted, { stream: true })
  }

  /** No more is coming: a character that was cut in its middle becomes U+FFFD. */
  end(): void {
    if (!this.#isFull) this.#text += this.#decoder.decode()
  }

  get text(): string {
    return this.#text
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Grows as long as something comes. */
  get chunks(): number {
    return this.#chunks
  }

  get #isFull(): boolean {
    return this.#text.length > this.maxUnits
  }
}

/** One output of a running command, on its way into a head. */
export interface Collecting {
  readonly head: OutputHead
  readonly ended: Promise<void>
  /** Stops reading and frees the pipe. */
  cancel(): Promise<void>
}

/** Reads `stream` to its end; `close` is called once, afterwards. */
export function collect(stream: ReadableStream<Uint8Array>, maxUnits: number, close: () => void): Collecting {
  const head = new OutputHead(maxUnits)
  const reader = stream.getReader()
  const read = async (): Promise<void> => {
    try {
      for (let next = await reader.read(); !next.done; next = await reader.read()) head.push(next.value)
    } catch {
      // A pipe that breaks has ended.
    } finally {
      head.end()
      close()
    }
  }
  return { head, ended: read(), cancel: () => reader.cancel() }
}

/** Waits for the end of all outputs of a command that has exited, but not for strangers who hold its pipes. */
export async function drain(outputs: readonly Collecting[]): Promise<void> {
  const ended = Promise.all(outputs.map((output) => output.ended)).then(() => true)
  const giveUpAt = performance.now() + DRAIN_MS
  let seen = -1
  while (performance.now() < giveUpAt) {
    const chunks = outputs.reduce((sum, output) => sum + output.head.chunks, 0)
    if (chunks === seen) break
    seen = chunks
    if (await endsWithin(ended, QUIET_MS)) return
  }
  await Promise.all(outputs.map((output) => output.cancel()))
}

async function endsWithin(ended: Promise<boolean>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), ms)
  const result = await Promise.race([ended, promise])
  clearTimeout(timer)
  return result
}
