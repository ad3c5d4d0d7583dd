/** One chart in the page: counts per state, edges that light up, and the path of what is selected. */
import type { Drawing } from '../drawing.ts'
import { the } from './dom.ts'
import { count } from './format.ts'
import type { View } from './playback.ts'

const litMs = 450

export class ChartView {
  readonly name: string
  readonly view: HTMLElement
  readonly #svg: SVGSVGElement
  readonly #boxes = new Map<string, Element>()
  readonly #counts = new Map<string, Element>()
  /** Texts and arrows, by edge. */
  readonly #edges = new Map<string, Element[]>()
  readonly #litUntil = new Map<Element, number>()
  readonly #natural: { readonly width: number; readonly height: number }
  #here: readonly string[] = []
  #path = ''

  constructor(drawing: Drawing) {
    this.name = drawing.chart
    this.#natural = drawing
    this.view = the(`chart-${drawing.chart}`, HTMLElement)
    const svg = this.view.querySelector('svg')
    if (svg === null) throw new Error(`No drawing of ${drawing.chart}`)
    this.#svg = svg
    for (const box of svg.querySelectorAll('[data-state]'))
      this.#boxes.set(box.getAttribute('data-state') ?? '', box)
    for (const text of svg.querySelectorAll('[data-count]'))
      this.#counts.set(text.getAttribute('data-count') ?? '', text)
    for (const part of svg.querySelectorAll('[data-edges]')) this.#addEdges(part)
  }

  get isShown(): boolean {
    return !this.view.hidden
  }

  /** How many actors are in each state. */
  render({ state }: View): void {
    const counts = new Map<string, number>()
    for (const [where, actors] of state.counts.get(this.name) ?? []) {
      if (actors === 0) continue
      for (const id of statesIn(this.name, where)) counts.set(id, (counts.get(id) ?? 0) + actors)
    }
    for (const [id, text] of this.#counts) {
      const actors = counts.get(id) ?? 0
      const shown = actors === 0 ? '' : count(actors)
      if (text.textContent === shown) continue
      text.textContent = shown
      this.#boxes.get(id)?.classList.toggle('active', actors > 0)
    }
  }

  /** Shows where an actor is, and the edges that it took last. */
  follow(where: string | undefined, edges: readonly string[]): void {
    const path = `${where} ${edges.join('\n')}`
    if (path === this.#path) return
    this.#path = path
    for (const each of this.#svg.querySelectorAll('.here, .on-path')) each.classList.remove('here', 'on-path')
    this.#here = where === undefined ? [] : where.split(' ').map((leaf) => `${this.name}.${leaf}`)
    for (const id of this.#here) this.#boxes.get(id)?.classList.add('here')
    for (const edge of edges) for (const part of this.#edges.get(edge) ?? []) part.classList.add('on-path')
    this.#scrollThere()
  }

  /** Edges that were taken just now. */
  light(edges: ReadonlySet<string>, now: number): void {
    for (const edge of edges) {
      for (const part of this.#edges.get(edge) ?? []) {
        part.classList.add('lit')
        this.#litUntil.set(part, now + litMs)
      }
    }
    for (const [part, until] of this.#litUntil) {
      if (until > now) continue
      part.classList.remove('lit')
      this.#litUntil.delete(part)
    }
  }

  get isLit(): boolean {
    return this.#litUntil.size > 0
  }

  /** As wide as there is room, or as large as it is drawn. */
  zoom(fits: boolean): void {
    const { width, height } = this.#natural
    const scale = fits ? Math.min(1, (this.view.clientWidth - 2) / width) : 1
    this.#svg.setAttribute('width', String(Math.floor(width * scale)))
    this.#svg.setAttribute('height', String(Math.floor(height * scale)))
  }

  #scrollThere(): void {
    const box = this.#boxes.get(this.#here[0] ?? '')
    if (box === undefined || !this.isShown) return
    const seen = this.view.getBoundingClientRect()
    const place = box.getBoundingClientRect()
    const margin = 24
    if (place.top < seen.top || place.bottom > seen.bottom)
      this.view.scrollTop += place.top - seen.top - margin
    if (place.left < seen.left || place.right > seen.right)
      this.view.scrollLeft += place.left - seen.left - margin
  }

  #addEdges(part: Element): void {
    for (const edge of (part.getAttribute('data-edges') ?? '').split('\n')) {
      if (edge === '') continue
      const parts = this.#edges.get(edge) ?? []
      parts.push(part)
      this.#edges.set(edge, parts)
    }
  }
}

/** `borrowed.executing` is in two states; `intake.idle wire.quiet` in four. */
function statesIn(chart: string, where: string): Set<string> {
  const ids = new Set<string>()
  for (const leaf of where.split(' ')) {
    const keys = leaf.split('.')
    for (let depth = 1; depth <= keys.length; depth += 1)
      ids.add(`${chart}.${keys.slice(0, depth).join('.')}`)
  }
  return ids
}
