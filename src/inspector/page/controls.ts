/** Pause, steps, replay, the slider, and their keys. */
import { isTyping, setText, the } from './dom.ts'
import { count, moment } from './format.ts'
import type { Playback, View } from './playback.ts'

export class Controls {
  readonly #pause = the('pause', HTMLButtonElement)
  readonly #replay = the('replay', HTMLButtonElement)
  readonly #speed = the('speed', HTMLSelectElement)
  readonly #position = the('position', HTMLInputElement)
  readonly #moment = the('moment', HTMLOutputElement)
  readonly #playback: () => Playback
  readonly #changed: () => void

  constructor(playback: () => Playback, changed: () => void, search: () => void) {
    this.#playback = playback
    this.#changed = changed
    this.#pause.addEventListener('click', () => this.#toggle())
    this.#replay.addEventListener('click', () => this.#toggleReplay())
    this.#on('back', () => playback().step(-1))
    this.#on('forward', () => playback().step(1))
    this.#position.addEventListener('input', () => {
      playback().goTo(Number(this.#position.value))
      changed()
    })
    document.addEventListener('keydown', (event) => {
      if (isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey) return
      const isButton =
        event.target instanceof HTMLButtonElement ||
        (event.target instanceof HTMLElement && event.target.tagName === 'SUMMARY')
      if (event.key === ' ' && !isButton) this.#toggle()
      else if (event.key === '[') this.#step(-1)
      else if (event.key === ']') this.#step(1)
      else if (event.key === '/') search()
      else return
      event.preventDefault()
    })
  }

  render({ recording, position, state, mode }: View): void {
    const { start, end } = recording.history
    const { live } = recording.header
    this.#position.min = String(start)
    this.#position.max = String(end)
    this.#position.value = String(position)
    this.#position.setAttribute(
      'aria-valuetext',
      `${moment(state.ms)}, step ${count(position)} of ${count(end)}`,
    )
    setText(this.#moment, `${moment(state.ms)} · ${count(position)} / ${count(end)}`)
    this.#pause.disabled = !live
    setText(this.#pause, mode === 'live' ? 'Pause' : 'Go live')
    setText(this.#replay, mode === 'replay' ? 'Stop' : 'Replay')
  }

  #toggle(): void {
    const playback = this.#playback()
    if (this.#pause.disabled) return
    if (playback.mode === 'live') playback.pause()
    else playback.live()
    this.#changed()
  }

  #toggleReplay(): void {
    const playback = this.#playback()
    if (playback.mode === 'replay') playback.pause()
    else playback.replay(Number(this.#speed.value), performance.now())
    this.#changed()
  }

  #step(by: number): void {
    this.#playback().step(by)
    this.#changed()
  }

  #on(id: string, act: () => void): void {
    the(id, HTMLButtonElement).addEventListener('click', () => {
      act()
      this.#changed()
    })
  }
}
