/**
 * Floor 3: what viewers are given. A viewer is a position in the history and nothing else, so that a slow one costs no
 * memory: what it missed is told as one state instead of many steps.
 */
import type { History } from './history.ts'
import type { Redact } from './redact.ts'
import type { SystemState } from './system-state.ts'
import { headerLine, stateLine, traceLine } from './trace-lines.ts'

/** Lines for a viewer, and where it is afterwards. */
export interface Portion {
  readonly lines: readonly string[]
  readonly position: number
}

export class LiveSource {
  readonly history: History
  readonly startedAt: number
  readonly live: boolean
  readonly #redact: Redact
  /** The present, when somebody needed it as a whole: folded on from there. */
  #head: { state: SystemState; position: number } | undefined
  /** Viewers are mostly at the same position: they share the lines. */
  #last: { from: number; to: number; portion: Portion } | undefined

  constructor(history: History, redact: Redact, startedAt: number, live: boolean) {
    this.history = history
    this.startedAt = startedAt
    this.live = live
    this.#redact = redact
  }

  /** What happened from a position on: so many records one by one, the rest as a state. */
  after(position: number, atMost: number): Portion {
    const { end } = this.history
    if (this.#last?.from === position && this.#last.to === end) return this.#last.portion
    const portion = { lines: this.#lines(position, end, atMost), position: end }
    this.#last = { from: position, to: end, portion }
    return portion
  }

  /** A whole trace: what is kept now. Lines are made as they are read. */
  *trace(): Generator<string> {
    const { history } = this
    const first = stateLine(history.base, this.#redact)
    const records = history.slice()
    yield headerLine(this.startedAt, this.live)
    yield first
    for (const record of records) yield traceLine(record, this.#redact)
  }

  #lines(position: number, end: number, atMost: number): string[] {
    if (position < this.history.start) return [this.#jump(-1)]
    const records = this.history.slice(position, Math.min(end, position + atMost))
    const lines = records.map((record) => traceLine(record, this.#redact))
    const last = records.at(-1)
    if (position + records.length < end) lines.push(this.#jump(last?.n ?? -1))
    return lines
  }

  #jump(since: number): string {
    return stateLine(this.#present(), this.#redact, since)
  }

  #present(): SystemState {
    const { history } = this
    if (this.#head === undefined || this.#head.position < history.start) {
      this.#head = { state: history.base.copy(), position: history.start }
    }
    const head = this.#head
    for (const record of history.slice(head.position)) head.state.apply(record)
    head.position = history.end
    return head.state
  }
}
