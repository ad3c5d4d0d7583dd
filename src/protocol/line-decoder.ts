/** Floor 0: lines of text out of chunks of bytes. */

/**
 * Cuts a stream of UTF-8 into lines. What has come of a line is kept in parts, so that a long one is copied once; a line
 * over the limit is passed over, so that no more than that is ever held.
 */
export class LineDecoder {
  /** Lines that were passed over. */
  overlong = 0
  /** All that came, newlines apart. */
  characters = 0
  readonly #maxCharacters: number
  readonly #decoder = new TextDecoder()
  #parts: string[] = []
  /** Of the line that has begun, kept or not. */
  #length = 0

  constructor(maxCharacters: number) {
    this.#maxCharacters = maxCharacters
  }

  /** The lines that end in this chunk, without their newlines. */
  push(chunk: Uint8Array): string[] {
    const text = this.#decoder.decode(chunk, { stream: true })
    const lines: string[] = []
    let start = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', start)) {
      this.#keep(text.slice(start, end))
      const line = this.#take()
      if (line !== undefined) lines.push(line)
      start = end + 1
    }
    if (start < text.length) this.#keep(start === 0 ? text : text.slice(start))
    return lines
  }

  #keep(part: string): void {
    this.characters += part.length
    this.#length += part.length
    if (this.#length > this.#maxCharacters) this.#parts = []
    else if (part !== '') this.#parts.push(part)
  }

  #take(): string | undefined {
    const isOverlong = this.#length > this.#maxCharacters
    const line = this.#parts.join('')
    this.#parts = []
    this.#length = 0
    if (isOverlong) this.overlong += 1
    return isOverlong ? undefined : line
  }
}
