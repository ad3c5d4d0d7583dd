/** Counts over the whole recording, the legend with the slots in each state, and the containers as a table. */
import type { LiveActor } from '../system-state.ts'
import { headRow, row } from './charts-panel.ts'
import { element, replaceWhen, setText, the } from './dom.ts'
import { count, placeOf, shortContainer } from './format.ts'
import type { View } from './playback.ts'
import { type SlotTag, slotTags, tagOf } from './slot-tags.ts'

const outcomes = ['exited', 'timed-out', 'cancelled', 'not-run', 'unknown'] as const

export class TotalsPanel {
  readonly #totals = the('totals', HTMLElement)
  readonly #legend = the('legend', HTMLElement)
  readonly #slotsCount = the('slots-count', HTMLElement)
  readonly #containers = the('containers', HTMLDetailsElement)
  readonly #table = the('containers-table', HTMLTableElement)
  readonly #numbers = new Map<string, HTMLElement>()
  #view: View | undefined

  constructor() {
    for (const name of ['calls', 'succeeded', ...outcomes, 'posts', 'calls a post', 'resets', 'steps']) {
      const number = element('dd')
      this.#numbers.set(name, number)
      this.#totals.append(element('div', { class: `total total-${name}` }, element('dt', {}, name), number))
    }
    for (const { tag, letter } of slotTags) {
      const number = element('span', { class: 'number' })
      this.#numbers.set(`slots ${tag}`, number)
      const mark = element('span', { class: `mark tag-${tag}`, 'aria-hidden': 'true' }, letter)
      this.#legend.append(element('li', {}, mark, `${tag} `, number))
    }
    this.#containers.addEventListener('toggle', () => this.#renderTable())
  }

  render(view: View): void {
    this.#view = view
    const { totals } = view.state
    const calls = Object.values(totals.outcomes).reduce((sum, number) => sum + number, 0)
    this.#set('calls', calls)
    this.#set('succeeded', totals.succeeded)
    for (const outcome of outcomes) this.#set(outcome, totals.outcomes[outcome] ?? 0)
    this.#set('posts', totals.posts)
    const each = totals.posts === 0 ? '0' : (totals.postedCalls / totals.posts).toFixed(1)
    this.#setText('calls a post', each)
    this.#set('resets', totals.resets)
    this.#set('steps', totals.steps)
    this.#renderLegend(view)
    this.#renderTable()
  }

  #renderLegend({ state }: View): void {
    const byTag = new Map<SlotTag, number>()
    let slots = 0
    for (const [where, actors] of state.counts.get('slot') ?? []) {
      const tag = tagOf({ chart: 'slot', state: where })
      byTag.set(tag, (byTag.get(tag) ?? 0) + actors)
      slots += actors
    }
    for (const { tag } of slotTags) this.#set(`slots ${tag}`, byTag.get(tag) ?? 0)
    const all = state.actors.filter((actor) => actor?.chart === 'slot').length
    const stopped = all - slots
    setText(this.#slotsCount, `${count(all)} slots${stopped > 0 ? `, ${count(stopped)} stopped` : ''}`)
  }

  #renderTable(): void {
    const view = this.#view
    if (!this.#containers.open || view === undefined) return
    replaceWhen(this.#table, `${view.state.n} ${view.recording.header.startedAt}`, () => [
      element('caption', { class: 'unseen' }, 'Slots by container and state'),
      headRow(['Container', 'State', 'Slots', ...slotTags.map(({ tag }) => tag)]),
      ...byContainer(view.state.actors).map(({ container, coordinator, slots }) => {
        const tags = slotTags.map(({ tag }) => count(slots.filter((slot) => tagOf(slot) === tag).length))
        return row([shortContainer(container), coordinator?.state ?? '', count(slots.length), ...tags])
      }),
    ])
  }

  #set(name: string, value: number): void {
    this.#setText(name, count(value))
  }

  #setText(name: string, text: string): void {
    const number = this.#numbers.get(name)
    if (number === undefined) return
    setText(number, text)
    number.parentElement?.classList.toggle('zero', text === '0')
  }
}

function byContainer(actors: readonly LiveActor[]) {
  const containers = new Map<string, { container: string; coordinator?: LiveActor; slots: LiveActor[] }>()
  for (const actor of actors) {
    if (actor.chart !== 'slot' && actor.chart !== 'coordinator') continue
    const { container } = placeOf(actor)
    const group = containers.get(container) ?? { container, slots: [] }
    containers.set(container, group)
    if (actor.chart === 'slot') group.slots.push(actor)
    else group.coordinator = actor
  }
  return [...containers.values()]
}
