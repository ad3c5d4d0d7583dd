/** A list that changes faster than it can be read, or is out of sight: it need not follow every picture. Pure. */
import type { Mode } from './playback.ts'

/** Out of sight, it is kept true for whoever searches or listens to the page. */
const unseenEveryMs = 1_000

export class Paced {
  isSeen = true
  readonly #everyMs: Readonly<Record<Mode, number>>
  readonly #draw: () => void
  #drawnAt = Number.NEGATIVE_INFINITY

  constructor(everyMs: Readonly<Record<Mode, number>>, draw: () => void) {
    this.#everyMs = everyMs
    this.#draw = draw
  }

  /** Draws it when it is time, or when somebody waits for it; gives when it wants to be drawn next. */
  render(mode: Mode, now: number, isAwaited: boolean): number {
    const everyMs = this.#everyMs[mode]
    const due = this.#drawnAt + (this.isSeen ? everyMs : Math.max(everyMs, unseenEveryMs))
    if (now < due && !isAwaited) return due
    this.#drawnAt = now
    this.#draw()
    return Number.POSITIVE_INFINITY
  }
}
