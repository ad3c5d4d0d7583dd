/**
 * What a program prints, on its way to the screen: in pieces, so that no program keeps the server from its other work,
 * and held back at its source when it prints faster than can be drawn.
 */
import { MarkLimit } from './mark-limit.ts'

/** How much may wait: above the first the program is held, below the second it goes on. */
const HOLD_BYTES = 65_536
const RESUME_BYTES = 16_384
const PIECE_BYTES = 16_384

export interface FeedTarget {
  /** Resolves when the text is on the screen. */
  draw(text: string): Promise<void>
  /** Makes the program wait with its output, or go on. */
  hold(isHeld: boolean): void
}

export class Feed {
  readonly #target: FeedTarget
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #marks = new MarkLimit()
  #chunks: Uint8Array[] = []
  #bytes = 0
  #isHeld = false
  #isStopped = false
  #drawing: Promise<void> | null = null

  constructor(target: FeedTarget) {
    this.#target = target
  }

  push(chunk: Uint8Array): void {
    if (this.#isStopped) return
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
    if (!this.#isHeld && this.#bytes > HOLD_BYTES) this.#hold(true)
    this.#drawing ??= this.#draw()
  }

  /** Whether all that came is on the screen. */
  get isDrawn(): boolean {
    return this.#drawing === null
  }

  /** Resolves when all that came before is on the screen, and what came meanwhile. */
  async drawn(): Promise<void> {
    while (this.#drawing !== null) await this.#drawing
  }

  /** What is not on the screen yet is dropped, and whatever comes. */
  stop(): void {
    this.#isStopped = true
    this.#chunks = []
  }

  async #draw(): Promise<void> {
    for (let piece = this.#take(); piece !== undefined; piece = this.#take()) {
      // A character that a piece cuts comes with the next one.
      const text = this.#marks.apply(this.#decoder.decode(piece, { stream: true }))
      if (text !== '') await this.#target.draw(text)
      this.#bytes -= piece.length
      if (this.#isHeld && this.#bytes < RESUME_BYTES) this.#hold(false)
    }
    this.#drawing = null
  }

  #take(): Uint8Array | undefined {
    const [first] = this.#chunks
    if (first === undefined) return undefined
    if (first.length > PIECE_BYTES) this.#chunks[0] = first.subarray(PIECE_BYTES)
    else this.#chunks.shift()
    return first.subarray(0, PIECE_BYTES)
  }

  #hold(isHeld: boolean): void {
    this.#isHeld = isHeld
    this.#target.hold(isHeld)
  }
}
