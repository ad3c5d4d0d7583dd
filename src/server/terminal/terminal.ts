/** A shell at a terminal: its screen, what it showed so far, and the keys that it is sent. */
import type { Place } from '../sandbox/command-line.ts'
import type { Isolation } from '../sandbox/isolation.ts'
import type { ShellEnd } from '../sandbox/shell-process.ts'
import { Feed } from './feed.ts'
import { activityBelow, isShellInFront } from './foreground.ts'
import type { KeyModes } from './keys.ts'
import { Pty } from './pty.ts'
import { Recording, type Size, type StreamPart } from './recording.ts'
import { Screen } from './screen.ts'

/** What may wait for a program to read it. */
const MAX_UNSENT_BYTES = 1_048_576
/** A program that does not read its keys gets no answers to what it asks. */
const MAX_UNSENT_ANSWERS = 4_096
/** A program that waits for keys has done so, and printed nothing, for so long. */
const QUIET_MS = 100
/** The same when it has printed nothing at all since it was sent keys: perhaps they have not reached it. */
const SILENT_MS = 500
const LOOK_EVERY_MS = 20
/** A program that prints without a pause is not waited for longer, before the screen is read. */
const DRAWN_MS = 500

/** How a wait ended: a program waits for keys, the shell is gone, the time is over, or somebody else ended it. */
export type WaitEnd = 'waits-for-keys' | 'ended' | 'time-over' | 'aborted'

export interface WaitOptions {
  readonly minMs: number
  readonly maxMs: number
  readonly signal: AbortSignal
}

export class Terminal {
  readonly ended: Promise<ShellEnd>
  readonly #isSandbox: boolean
  readonly #pty: Pty
  #screen: Screen
  readonly #recording: Recording
  readonly #feed: Feed
  #end: ShellEnd | null = null
  #lastOutputAt = 0
  #lastKeysAt = performance.now()

  /** Throws when nothing can be spawned. */
  constructor(
    isolation: Isolation,
    place: Place,
    readonly network: boolean,
    size: Size,
  ) {
    this.#isSandbox = isolation.kind === 'bubblewrap'
    this.#screen = this.#newScreen(size)
    this.#recording = new Recording(size)
    this.#feed = new Feed({
      draw: (text) => this.#draw(text),
      hold: (isHeld) => this.#pty.hold(isHeld),
    })
    this.#pty = new Pty(isolation, place, network, size, (chunk) => {
      this.#lastOutputAt = performance.now()
      this.#feed.push(chunk)
    })
    this.ended = this.#pty.ended.then(async (end) => {
      await this.#feed.drawn()
      this.#end = end
      return end
    })
  }

  async #draw(text: string): Promise<void> {
    let drawn = text
    try {
      await this.#screen.draw(text)
    } catch {
      // A program has found an error of the emulator: the terminal goes on with an empty screen.
      this.#screen = this.#newScreen(this.size)
      drawn = this.#screen.picture()
    }
    this.#recording.output(drawn, this.size, () => this.#screen.picture())
  }

  #newScreen(size: Size): Screen {
    return new Screen(size, (text) => this.#answer(text))
  }

  #answer(text: string): void {
    if (this.#pty.unsentBytes < MAX_UNSENT_ANSWERS) this.#pty.write(text)
  }

  /** How the shell ended; `null` while it lives. Its screen stays. */
  get end(): ShellEnd | null {
    return this.#end
  }

  get size(): Size {
    return this.#screen.size
  }

  get keyModes(): KeyModes {
    return this.#screen.keyModes
  }

  /** Whether keys go to the shell itself, and to no program that it runs. */
  get isShellInFront(): boolean {
    return isShellInFront(this.#pty.pid, this.#isSandbox)
  }

  /** Types `text`; `false`, and nothing is typed: too much waits already for a program that does not read. */
  type(text: string): boolean {
    if (this.#pty.unsentBytes + Buffer.byteLength(text) > MAX_UNSENT_BYTES) return false
    this.#lastKeysAt = performance.now()
    this.#pty.write(text)
    return true
  }

  resize(size: Size): void {
    const { columns, rows } = this.size
    if (size.columns === columns && size.rows === rows) return
    this.#screen.resize(size)
    this.#recording.resized(size)
    this.#pty.resize(size)
  }

  /** Resolves when what was printed is on the screen. */
  async drawn(): Promise<void> {
    await Promise.race([this.#feed.drawn(), Bun.sleep(DRAWN_MS)])
  }

  lines(entire: boolean): string[] {
    return this.#screen.lines(entire)
  }

  readRecording(maxBytes: number): StreamPart {
    return this.#recording.read(maxBytes)
  }

  rewindRecording(): void {
    this.#recording.rewind()
  }

  /** Waits until a program waits for keys, for at least `minMs` and at most `maxMs`. */
  async wait({ minMs, maxMs, signal }: WaitOptions): Promise<WaitEnd> {
    const startedAt = performance.now()
    // Since when a program waits for keys, at every look, and has printed nothing. What it printed just before it began
    // to wait may be on its way through the kernel: so one look is not enough.
    let since = startedAt
    for (;;) {
      const now = performance.now()
      const waited = now - startedAt
      if (signal.aborted) return 'aborted'
      if (this.#end !== null) return 'ended'
      since = this.#waitsForKeys() ? Math.max(since, this.#lastOutputAt) : now
      const quietMs = this.#lastOutputAt > this.#lastKeysAt ? QUIET_MS : SILENT_MS
      if (waited >= minMs && now - since >= quietMs) return 'waits-for-keys'
      if (waited >= maxMs) return 'time-over'
      await Bun.sleep(Math.min(LOOK_EVERY_MS, maxMs - waited))
    }
  }

  #waitsForKeys(): boolean {
    if (!this.#feed.isDrawn) return false
    const activity = activityBelow(this.#pty.pid)
    return activity === 'reading' || (activity === 'asleep' && this.#pty.takesKeys)
  }

  /** Waits for `ms`, or until the shell is gone. */
  async pause(ms: number, signal: AbortSignal): Promise<WaitEnd> {
    const until = performance.now() + ms
    for (;;) {
      const left = until - performance.now()
      if (signal.aborted) return 'aborted'
      if (this.#end !== null) return 'ended'
      if (left <= 0) return 'time-over'
      await Bun.sleep(Math.min(LOOK_EVERY_MS, left))
    }
  }

  /** Ends it with all its processes, and forgets the screen; resolves when they are dead. */
  async close(): Promise<void> {
    this.#feed.stop()
    await this.#pty.kill()
    await this.ended
    this.#screen.dispose()
  }
}
