/**
 * What a terminal showed, as lines of asciicast v2: a header, then events. Of bounded size: when it is full, what was
 * is forgotten, and it goes on with a picture of the screen, so that a player shows the right thing from there.
 */

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Bytes of lines that are kept. */
const MAX_BYTES = 2_000_000
/** Of one event: as JSON it has at most six times as many bytes, so that a line always fits into an answer. */
const MAX_EVENT_LENGTH = 2_048
/** What a line costs beside its text. */
const LINE_OVERHEAD = 64

interface Line {
  readonly text: string
  readonly bytes: number
}

/** `offset`: where the next line begins in all that ever was. `dropped`: bytes that were forgotten unread. */
export type StreamPart =
  | { readonly ok: true; readonly text: string; readonly offset: number; readonly dropped: number }
  /** The next line has more bytes than were asked for. */
  | { readonly ok: false; readonly nextBytes: number }

export class Recording {
  readonly #startedAt: number
  readonly #header: Line
  #lines: Line[]
  #keptBytes = 0
  /** Bytes of the events that are not kept any more. */
  #forgottenBytes = 0
  /** Which line is read next, and where it begins in all that ever was. */
  #next = 0
  #offset = 0
  /** Forgotten before they were read. */
  #droppedBytes = 0

  /** `now` in milliseconds. */
  constructor(
    { columns, rows }: Size,
    readonly now: () => number = () => performance.now(),
    readonly maxBytes = MAX_BYTES,
  ) {
    this.#startedAt = now()
    const timestamp = Math.floor(Date.now() / 1000)
    const env = { SHELL: '/bin/bash', TERM: 'xterm-256color' }
    this.#header = line({ version: 2, width: columns, height: rows, timestamp, env })
    this.#lines = [this.#header]
  }

  /** The program printed `text`; `picture` draws the screen as it is after that. */
  output(text: string, size: Size, picture: () => string): void {
    for (const piece of pieces(text)) this.#add('o', piece)
    if (this.#keptBytes <= this.maxBytes) return
    this.#forget()
    this.resized(size)
    for (const piece of pieces(picture())) this.#add('o', piece)
  }

  resized({ columns, rows }: Size): void {
    this.#add('r', `${columns}x${rows}`)
  }

  /** Whole lines that were not read yet, of at most `maxBytes` together. */
  read(maxBytes: number): StreamPart {
    const texts: string[] = []
    let bytes = 0
    for (let next = this.#lines[this.#next]; next !== undefined; next = this.#lines[this.#next]) {
      if (bytes + next.bytes > maxBytes) {
        if (texts.length === 0) return { ok: false, nextBytes: next.bytes }
        break
      }
      texts.push(next.text)
      bytes += next.bytes
      this.#offset += next.bytes + (this.#next === 0 ? this.#forgottenBytes : 0)
      this.#next += 1
    }
    const dropped = this.#droppedBytes
    this.#droppedBytes = 0
    return { ok: true, text: texts.join(''), offset: this.#offset, dropped }
  }

  /** Reading begins anew, with the header and all that is kept. */
  rewind(): void {
    this.#next = 0
    this.#offset = 0
    this.#droppedBytes = this.#forgottenBytes
  }

  #forget(): void {
    const unread = this.#lines.slice(Math.max(this.#next, 1))
    this.#droppedBytes += sum(unread)
    this.#forgottenBytes += sum(this.#lines.slice(1))
    this.#lines = [this.#header]
    this.#keptBytes = 0
    if (this.#next === 0) return
    this.#next = 1
    this.#offset = this.#header.bytes + this.#forgottenBytes
  }

  #add(kind: 'o' | 'r', data: string): void {
    const seconds = Math.round((this.now() - this.#startedAt) * 1000) / 1e6
    const event = line([seconds, kind, data])
    this.#lines.push(event)
    this.#keptBytes += event.bytes + LINE_OVERHEAD
  }
}

/** Cut, but not inside a character. */
function* pieces(text: string): Iterable<string> {
  for (let at = 0; at < text.length; ) {
    const isInside = (text.codePointAt(at + MAX_EVENT_LENGTH - 1) ?? 0) > 0xffff
    const end = at + MAX_EVENT_LENGTH - (isInside ? 1 : 0)
    yield text.slice(at, end)
    at = end
  }
}

function sum(lines: readonly Line[]): number {
  return lines.reduce((total, { bytes }) => total + bytes, 0)
}

function line(value: unknown): Line {
  const text = `${JSON.stringify(value)}\n`
  return { text, bytes: Buffer.byteLength(text) }
}
