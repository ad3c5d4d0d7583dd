/** The recorded steps, filtered; only the rows that are seen exist. */
import { element, setText, the } from './dom.ts'
import { Filters } from './filters.ts'
import { actorName, count, moment, placeOf, recordText, shortContainer, shortState } from './format.ts'
import type { View } from './playback.ts'
import type { Entry, Recording } from './recording.ts'

export const rowHeight = 24

export class Timeline {
  readonly #box = the('timeline', HTMLElement)
  readonly #space = the('timeline-space', HTMLElement)
  readonly #rows = the('timeline-rows', HTMLElement)
  readonly #count = the('timeline-count', HTMLElement)
  readonly #filters: Filters
  readonly #go: (entry: Entry) => void
  /** The positions that the filters let through, and how far they were looked for. */
  #shown: number[] = []
  #looked = { recording: undefined as Recording | undefined, key: '', position: 0 }
  #view: View | undefined
  #drawn = ''
  /** Of the box: asking it for them while it changes would lay out the page each time. */
  #top = 0
  #position = -1
  #height = 0

  constructor(go: (entry: Entry) => void, changed: () => void) {
    this.#go = go
    this.#filters = new Filters(changed)
    this.#box.addEventListener('scroll', () => {
      this.#top = this.#box.scrollTop
      this.#draw()
    })
    new ResizeObserver(() => {
      this.#height = this.#box.clientHeight
      this.#draw()
    }).observe(this.#box)
    this.#box.addEventListener('keydown', (event) => this.#onKey(event))
    this.#rows.addEventListener('click', (event) => this.#onClick(event))
  }

  render(view: View): void {
    this.#view = view
    this.#look(view)
    const { history } = view.recording
    const total = history.end - history.start
    setText(this.#count, `${count(this.#shown.length)} of ${count(total)} steps`)
    this.#space.style.height = `${this.#shown.length * rowHeight}px`
    const top = this.#topFor(view)
    const isMoved = top !== this.#top
    this.#top = top
    this.#draw()
    if (isMoved) this.#box.scrollTop = top
  }

  /** While all goes on, the newest row is the last one; one that was gone to is brought into sight. */
  #topFor({ position, mode }: View): number {
    const isNew = position !== this.#position
    this.#position = position
    const row = Math.max(0, this.#indexOf(position - 1)) * rowHeight
    if (mode !== 'paused') return Math.max(0, row + rowHeight - this.#height)
    const isSeen = row >= this.#top && row + rowHeight <= this.#top + this.#height
    return isSeen || !isNew ? this.#top : Math.max(0, Math.round(row - this.#height / 2))
  }

  /** Looks on from where it has looked, or anew when what is looked for is another thing. */
  #look(view: View): void {
    const { recording } = view
    const { history } = recording
    const { key } = this.#filters
    if (this.#looked.recording !== recording) this.#filters.clearChoices()
    if (this.#looked.recording !== recording || this.#looked.key !== key) {
      this.#looked = { recording, key, position: history.start }
      this.#shown = []
      this.#drawn = ''
    }
    const matches = this.#filters.matcher(view)
    for (let at = Math.max(this.#looked.position, history.start); at < history.end; at += 1) {
      const entry = recording.entryAt(at)
      if (entry === undefined) continue
      const { record } = entry
      if (record.kind === 'step') this.#filters.learn(recording.head.actors[record.actor], record.event)
      if (matches(entry)) this.#shown.push(at)
    }
    this.#looked.position = history.end
    const gone = this.#shown.findIndex((at) => at >= history.start)
    if (gone !== 0) this.#shown.splice(0, gone < 0 ? this.#shown.length : gone)
  }

  #draw(): void {
    const view = this.#view
    if (view === undefined) return
    const first = Math.max(0, Math.floor(this.#top / rowHeight) - 2)
    const last = Math.min(this.#shown.length, Math.ceil((this.#top + this.#height) / rowHeight) + 2)
    const current = this.#indexOf(view.position - 1)
    const positions = this.#shown.slice(first, last)
    const drawn = `${positions.join()} ${current} ${view.recording.header.startedAt}`
    if (drawn === this.#drawn) return
    this.#drawn = drawn
    this.#rows.style.transform = `translateY(${first * rowHeight}px)`
    this.#rows.replaceChildren(
      ...positions.flatMap((at, index) => {
        const entry = view.recording.entryAt(at)
        return entry === undefined ? [] : [rowOf(entry, view, first + index === current)]
      }),
    )
    this.#box.setAttribute('aria-activedescendant', `step-${this.#shown[current] ?? ''}`)
  }

  /** The last shown row at or before a position. */
  #indexOf(position: number): number {
    let low = 0
    let high = this.#shown.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#shown[middle] ?? 0) <= position) low = middle + 1
      else high = middle
    }
    return low - 1
  }

  #onClick(event: MouseEvent): void {
    const row = event.target instanceof Element ? event.target.closest('[data-position]') : null
    if (row !== null) this.#goTo(Number(row.getAttribute('data-position')))
  }

  #onKey(event: KeyboardEvent): void {
    if (this.#view === undefined) return
    const at = this.#indexOf(this.#view.position - 1)
    const page = Math.floor(this.#height / rowHeight)
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.#shown.length - 1,
      Enter: at,
    }
    const wanted = moves[event.key]
    if (wanted === undefined) return
    event.preventDefault()
    const position = this.#shown[Math.min(Math.max(wanted, 0), this.#shown.length - 1)]
    if (position !== undefined) this.#goTo(position)
  }

  #goTo(position: number): void {
    const entry = this.#view?.recording.entryAt(position)
    if (entry !== undefined) this.#go(entry)
  }
}

function rowOf(
  { record, position, trajectoryId }: Entry,
  { state, recording }: View,
  isCurrent: boolean,
): HTMLElement {
  const actor = record.kind === 'state' ? undefined : recording.head.actors[record.actor]
  const { slot = '', container = '' } = actor === undefined ? {} : placeOf(actor)
  const name = slot === '' ? shortContainer(container) : slot
  // Containers differ at their end.
  const shown = name.length > 13 ? `…${name.slice(-10).replace(/^\W+/, '')}` : name
  const event = record.kind === 'step' ? record.event : record.kind
  const to = record.kind === 'step' && record.edges.length > 0 ? record.state : ''
  return element(
    'div',
    {
      role: 'option',
      id: `step-${position}`,
      class: `row${isCurrent ? ' current' : ''}${record.kind === 'step' ? '' : ` row-${record.kind}`}`,
      'data-position': String(position),
      'aria-selected': String(isCurrent),
      title:
        actor === undefined
          ? undefined
          : `${actorName(actor)}${trajectoryId === null ? '' : ` · ${trajectoryId}`}`,
    },
    element('time', {}, moment(record.ms)),
    element('span', { class: 'who' }, shown),
    element('code', { class: 'event' }, event),
    element('span', { class: 'to' }, to === '' ? '' : `→ ${shortState(to)}`),
    element('span', { class: 'about' }, recordText(record, state).split('\n', 1)[0] ?? ''),
  )
}
