/** The screen that a program draws: a terminal emulator without a display. */
import { Unicode11Addon } from '@xterm/addon-unicode11'
import { Terminal as Emulator } from '@xterm/headless'
import { guard } from './guard.ts'
import type { KeyModes } from './keys.ts'
import type { Size } from './recording.ts'
import { turns } from './turns.ts'

/** As many lines above the screen are kept, as in tmux. */
const SCROLLBACK_LINES = 2_000

/** Some sequences cost a thousand times as much as others: between two pieces the time is looked at. */
const PIECE_LENGTH = 512

export class Screen {
  readonly #emulator: Emulator

  /** `answer` takes what the terminal tells the program when it asks, as for the cursor's place. */
  constructor({ columns, rows }: Size, answer: (text: string) => void) {
    this.#emulator = new Emulator({
      cols: columns,
      rows,
      scrollback: SCROLLBACK_LINES,
      // For the widths of characters.
      allowProposedApi: true,
      logLevel: 'off',
    })
    this.#emulator.loadAddon(new Unicode11Addon())
    // Emoji are two columns wide, as the C library tells programs.
    this.#emulator.unicode.activeVersion = '11'
    this.#emulator.onData((text) => {
      if (text !== '') answer(text)
    })
    guard(this.#emulator)
  }

  /**
   * Resolves when `text` has been drawn; one text at a time. Rejects when the emulator failed on it: then this screen is
   * of no more use.
   */
  async draw(text: string): Promise<void> {
    const pieces = this.#drawPieces(text)
    while (await turns.take(pieces)) {
      // Other screens had their turn.
    }
  }

  *#drawPieces(text: string): Generator<Promise<void>> {
    for (let at = 0; at < text.length; at += PIECE_LENGTH)
      yield this.#drawPiece(text.slice(at, at + PIECE_LENGTH))
  }

  #drawPiece(text: string): Promise<void> {
    return new Promise((resolve) => {
      // After input the emulator draws at once what comes next. Else it would do so from a timer, where an error of its
      // own would be caught by nobody, and end the server.
      this.#emulator.input('', true)
      this.#emulator.write(text, resolve)
    })
  }

  resize({ columns, rows }: Size): void {
    this.#emulator.resize(columns, rows)
  }

  get size(): Size {
    return { columns: this.#emulator.cols, rows: this.#emulator.rows }
  }

  get keyModes(): KeyModes {
    return { applicationCursor: this.#emulator.modes.applicationCursorKeysMode }
  }

  /** The lines as they are seen, without spaces at their ends; with `entire` also those that scrolled away. */
  lines(entire: boolean): string[] {
    const buffer = this.#emulator.buffer.active
    const lines: string[] = []
    for (let y = entire ? 0 : buffer.baseY; y < buffer.length; y++) {
      lines.push(buffer.getLine(y)?.translateToString(true).replace(/ +$/, '') ?? '')
    }
    return lines
  }

  /** Draws the text that is seen, and the cursor in its place, on any terminal of this size. */
  picture(): string {
    const { cursorX, cursorY } = this.#emulator.buffer.active
    // A reset, and no line wrapped into the next.
    const rows = this.lines(false).map((line, y) => `\x1b[${y + 1};1H${line}`)
    return `\x1bc${rows.join('')}\x1b[${cursorY + 1};${cursorX + 1}H`
  }

  dispose(): void {
    this.#emulator.dispose()
  }
}
