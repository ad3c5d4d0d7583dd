/** Which moment of the recording is shown: the present, a moment that one stopped at, or one that runs. */
import type { SystemState } from '../system-state.ts'
import type { Recording } from './recording.ts'

export type Mode = 'live' | 'paused' | 'replay'

/** What the panels draw. */
export interface View {
  readonly recording: Recording
  readonly state: SystemState
  /** Records before it are shown. */
  readonly position: number
  readonly mode: Mode
}

export class Playback {
  #recording: Recording
  #mode: Mode = 'live'
  #position = 0
  #state: SystemState
  #speed = 1
  /** Recorded time and the clock's, when the replay began. */
  #from = { ms: 0, at: 0 }

  constructor(recording: Recording) {
    this.#recording = recording
    this.#state = recording.head
    if (!recording.header.live) this.pause()
  }

  get mode(): Mode {
    return this.#mode
  }

  view(): View {
    const { head, history } = this.#recording
    const live = this.#mode === 'live'
    return {
      recording: this.#recording,
      state: live ? head : this.#state,
      position: live ? history.end : this.#position,
      mode: this.#mode,
    }
  }

  live(): void {
    this.#mode = 'live'
  }

  pause(): void {
    if (this.#mode === 'live') this.#show(this.#recording.history.end)
    this.#mode = 'paused'
  }

  /** Stops at a moment. */
  goTo(position: number): void {
    this.#mode = 'paused'
    this.#show(position)
  }

  step(by: number): void {
    this.pause()
    this.#show(this.#position + by)
  }

  /** Runs on from the moment shown, or from the beginning when nothing comes after it. */
  replay(speed: number, now: number): void {
    if (this.#mode === 'live' || this.#position >= this.#recording.history.end) {
      this.#show(this.#recording.history.start)
    }
    this.#mode = 'replay'
    this.#speed = speed
    this.#from = { ms: this.#nextMs() ?? this.#state.ms, at: now }
  }

  /** Lets a replay run up to now; the records that it showed. */
  advance(now: number): number {
    if (this.#mode !== 'replay') return 0
    const until = this.#from.ms + (now - this.#from.at) * this.#speed
    const before = this.#position
    let to = before
    for (let ms = this.#msAt(to); ms !== undefined && ms <= until; ms = this.#msAt(to)) to += 1
    this.#show(to)
    if (to >= this.#recording.history.end) this.#mode = 'paused'
    return to - before
  }

  #nextMs(): number | undefined {
    return this.#msAt(this.#position)
  }

  #msAt(position: number): number | undefined {
    return this.#recording.history.at(position)?.ms
  }

  #show(position: number): void {
    const { history } = this.#recording
    const wanted = Math.min(Math.max(position, history.start), history.end)
    const ahead = wanted - this.#position
    const isNear = this.#mode !== 'live' && ahead >= 0 && ahead < 4_000 && this.#position >= history.start
    if (isNear) {
      for (const record of history.slice(this.#position, wanted)) this.#state.apply(record)
    } else {
      this.#state = this.#recording.stateAt(wanted)
    }
    this.#position = wanted
  }
}
