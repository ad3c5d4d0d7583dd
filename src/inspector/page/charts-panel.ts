/** The charts: tabs, zoom, and the transitions as a table. */
import { charts } from '../charts.ts'
import { ChartView } from './chart-view.ts'
import { element, replaceWhen, the } from './dom.ts'
import { count } from './format.ts'
import type { View } from './playback.ts'

export class ChartsPanel {
  readonly #views = charts.map((drawing) => new ChartView(drawing))
  readonly #tabs: readonly HTMLButtonElement[]
  readonly #zoom = the('zoom', HTMLButtonElement)
  readonly #ways = the('ways', HTMLDetailsElement)
  readonly #table = the('ways-table', HTMLTableElement)
  #fits = false
  #shown = charts[0]?.chart ?? ''
  #last: View | undefined
  #selected: number | undefined

  constructor() {
    const list = the('tabs', HTMLElement)
    this.#tabs = this.#views.map(({ name }) => this.#makeTab(name))
    list.append(...this.#tabs)
    list.addEventListener('keydown', (event) => this.#onKey(event))
    this.#zoom.addEventListener('click', () => {
      this.#fits = !this.#fits
      this.#zoom.setAttribute('aria-pressed', String(this.#fits))
      this.#applyZoom()
    })
    this.#ways.addEventListener('toggle', () => this.#renderTable())
    addEventListener('resize', () => this.#applyZoom())
    this.show(this.#shown)
  }

  render(view: View, selected: number | undefined): void {
    this.#last = view
    this.#selected = selected
    const actor = selected === undefined ? undefined : view.state.actors[selected]
    for (const chart of this.#views) {
      if (!chart.isShown) continue
      chart.render(view)
      const isIts = actor?.chart === chart.name
      const path = isIts ? view.recording.entriesOf(actor.actor, view.position, 24) : []
      const edges = path.flatMap(({ record }) => (record.kind === 'step' ? record.edges : []))
      chart.follow(isIts ? actor.state : undefined, edges)
    }
    this.#renderTable()
  }

  light(edges: ReadonlySet<string>, now: number): void {
    for (const chart of this.#views) if (chart.isShown || chart.isLit) chart.light(edges, now)
  }

  get isLit(): boolean {
    return this.#views.some((chart) => chart.isLit)
  }

  show(name: string): void {
    if (!this.#views.some((chart) => chart.name === name)) return
    this.#shown = name
    for (const [index, chart] of this.#views.entries()) {
      const isShown = chart.name === name
      chart.view.hidden = !isShown
      const tab = this.#tabs[index]
      tab?.setAttribute('aria-selected', String(isShown))
      tab?.setAttribute('tabindex', isShown ? '0' : '-1')
    }
    this.#applyZoom()
    if (this.#last !== undefined) this.render(this.#last, this.#selected)
  }

  #applyZoom(): void {
    for (const chart of this.#views) if (chart.isShown) chart.zoom(this.#fits)
  }

  #makeTab(name: string): HTMLButtonElement {
    const attributes = { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `chart-${name}` }
    const tab = element('button', attributes, name)
    tab.addEventListener('click', () => this.show(name))
    return tab
  }

  #onKey(event: KeyboardEvent): void {
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
    if (by === 0) return
    const index = this.#views.findIndex(({ name }) => name === this.#shown)
    const next = this.#tabs.at((index + by) % this.#tabs.length)
    next?.focus()
    next?.click()
  }

  #renderTable(): void {
    const drawing = charts.find(({ chart }) => chart === this.#shown)
    if (!this.#ways.open || this.#last === undefined || drawing === undefined) return
    const { edges, n } = this.#last.state
    replaceWhen(this.#table, `${drawing.chart} ${n}`, () => [
      element('caption', { class: 'unseen' }, `Transitions of ${drawing.chart}`),
      headRow(['From', 'Event', 'To', 'Does', 'Taken']),
      ...drawing.ways.map(({ edge, source, event, guard, targets, actions }) => {
        const short = (id: string) => id.slice(drawing.chart.length + 1)
        const when = guard === undefined ? event : `${event} [${guard}]`
        const to = targets.length === 0 ? 'stays' : targets.map(short).join(', ')
        return row([short(source), when, to, actions.join(', '), count(edges.get(edge) ?? 0)])
      }),
    ])
  }
}

export function headRow(texts: readonly string[]): HTMLElement {
  return element(
    'thead',
    {},
    element('tr', {}, ...texts.map((text) => element('th', { scope: 'col' }, text))),
  )
}

export function row(texts: readonly string[]): HTMLElement {
  return element(
    'tr',
    {},
    ...texts.map((text, index) =>
      index === 0 ? element('th', { scope: 'row' }, text) : element('td', {}, text),
    ),
  )
}
