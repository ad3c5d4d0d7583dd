/** A panel that need not follow every picture: a list that changes faster than it can be read, or is out of sight. */
import type { Mode, View } from './playback.ts'

/** Out of sight, it is kept true for whoever searches or listens to the page. */
const unseenEveryMs = 1_000

export class Paced {
  readonly #render: (view: View) => void
  readonly #everyMs: Readonly<Record<Mode, number>>
  #isSeen = true
  #drawnAt = Number.NEGATIVE_INFINITY

  /** `comes` is told when the panel comes into sight. */
  constructor(
    panel: Element,
    everyMs: Readonly<Record<Mode, number>>,
    render: (view: View) => void,
    comes: () => void,
  ) {
    this.#everyMs = everyMs
    this.#render = render
    const observer = new IntersectionObserver((entries) => {
      const wasSeen = this.#isSeen
      this.#isSeen = entries.at(-1)?.isIntersecting ?? true
      if (this.#isSeen && !wasSeen) comes()
    })
    observer.observe(panel)
  }

  /** Draws it when it is time, or when somebody waits for it; gives when it wants to be drawn next. */
  render(view: View, now: number, isAwaited: boolean): number {
    const everyMs = this.#everyMs[view.mode]
    const due = this.#drawnAt + (this.#isSeen ? everyMs : Math.max(everyMs, unseenEveryMs))
    if (now < due && !isAwaited) return due
    this.#drawnAt = now
    this.#render(view)
    return Number.POSITIVE_INFINITY
  }
}
