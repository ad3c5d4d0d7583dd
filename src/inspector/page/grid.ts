/** The grid of slots: one canvas, as large as what is seen of it. Its keyboard is arrows, Home, End and Enter. */
import type { LiveActor } from '../system-state.ts'
import { setText, the } from './dom.ts'
import { actorName, shortContainer } from './format.ts'
import {
  actorAt,
  cellAt,
  type GridLayout,
  type Group,
  gridLayout,
  headHeight,
  placeInGrid,
} from './grid-layout.ts'
import type { View } from './playback.ts'
import { type SlotTag, tagOf } from './slot-tags.ts'
import { makeSprites } from './sprites.ts'

export class Grid {
  readonly #canvas = the('grid', HTMLCanvasElement)
  readonly #scroll = the('grid-scroll', HTMLElement)
  readonly #active = the('grid-active', HTMLElement)
  readonly #select: (actor: number) => void
  #layout: GridLayout = gridLayout([], 1)
  #layoutKey = ''
  #sprites = new Map<SlotTag, HTMLCanvasElement>()
  #spritesKey = ''
  #view: View | undefined
  #selected: number | undefined
  /** Where the keyboard is. */
  #cursor: number | undefined

  constructor(select: (actor: number) => void) {
    this.#select = select
    this.#canvas.addEventListener('click', (event) => this.#onClick(event))
    this.#canvas.addEventListener('keydown', (event) => this.#onKey(event))
    for (const name of ['focus', 'blur']) this.#canvas.addEventListener(name, () => this.#draw())
    this.#scroll.addEventListener('scroll', () => this.#draw())
    new ResizeObserver(() => this.#draw()).observe(this.#scroll)
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', () => {
      this.#spritesKey = ''
      this.#draw()
    })
  }

  render(view: View, selected: number | undefined): void {
    this.#view = view
    this.#selected = selected
    this.#draw()
  }

  #draw(): void {
    if (this.#view === undefined) return
    const { actors } = this.#view.state
    const width = this.#scroll.clientWidth
    const key = `${width} ${actors.length} ${this.#view.recording.header.startedAt}`
    if (key !== this.#layoutKey) {
      this.#layout = gridLayout(actors, width)
      this.#layoutKey = key
      this.#scroll.style.setProperty('--grid-height', `${Math.max(60, this.#layout.height)}px`)
    }
    const height = this.#scroll.clientHeight
    const scale = devicePixelRatio
    this.#prepare(width, height, scale)
    const context = this.#canvas.getContext('2d')
    if (context === null) return
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.clearRect(0, 0, width, height)
    context.translate(0, -this.#scroll.scrollTop)
    for (const group of this.#layout.groups) this.#drawGroup(context, group, actors, height)
    this.#drawMarks(context)
    this.#tellActive()
  }

  #prepare(width: number, height: number, scale: number): void {
    const canvas = this.#canvas
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale)
      canvas.height = Math.round(height * scale)
      canvas.style.width = `${width}px`
      canvas.style.height = `${height}px`
    }
    const { size } = this.#layout
    if (this.#spritesKey === `${size} ${scale}`) return
    this.#sprites = makeSprites(size, scale)
    this.#spritesKey = `${size} ${scale}`
  }

  #drawGroup(
    context: CanvasRenderingContext2D,
    group: Group,
    actors: readonly LiveActor[],
    height: number,
  ): void {
    const layout = this.#layout
    const { columns, pitch, size } = layout
    const from = this.#scroll.scrollTop
    const rows = Math.ceil(group.slots.length / columns)
    if (group.top > from + height || group.top + headHeight + rows * pitch < from) return
    this.#drawHead(context, group, actors)
    const firstRow = Math.max(0, Math.floor((from - group.top - headHeight) / pitch))
    const lastRow = Math.min(rows, Math.ceil((from + height - group.top - headHeight) / pitch))
    for (
      let index = firstRow * columns;
      index < Math.min(group.slots.length, lastRow * columns);
      index += 1
    ) {
      const actor = actors[group.slots[index] ?? -1]
      const sprite = actor === undefined ? undefined : this.#sprites.get(tagOf(actor))
      if (sprite === undefined || actor === undefined) continue
      const { x, y } = cellAt(layout, group, index)
      if (actor.stopped) context.globalAlpha = 0.4
      context.drawImage(sprite, x, y, size, size)
      context.globalAlpha = 1
    }
  }

  #drawHead(context: CanvasRenderingContext2D, group: Group, actors: readonly LiveActor[]): void {
    const style = getComputedStyle(this.#canvas)
    const coordinator = group.coordinator === undefined ? undefined : actors[group.coordinator]
    const link = coordinator?.stopped ? 'stopped' : linkOf(coordinator)
    context.textBaseline = 'middle'
    context.textAlign = 'left'
    context.font = `600 12px ${style.fontFamily}`
    context.fillStyle = style.color
    const name = shortContainer(group.container)
    context.fillText(name, 0, group.top + headHeight / 2)
    const { width } = context.measureText(name)
    context.font = `12px ${style.fontFamily}`
    context.fillStyle = style.getPropertyValue('--soft')
    context.fillText(`${group.slots.length} slots · ${link}`, width + 10, group.top + headHeight / 2)
  }

  #drawMarks(context: CanvasRenderingContext2D): void {
    const isFocused = document.activeElement === this.#canvas
    const marks = [
      { actor: this.#selected, colour: '--accent', isShown: true },
      { actor: this.#cursor, colour: '--focus', isShown: isFocused },
    ]
    for (const { actor, colour, isShown } of marks) {
      if (actor === undefined || !isShown) continue
      const place = placeInGrid(this.#layout, actor)
      if (place === undefined) continue
      const isSlot = this.#layout.order.includes(actor)
      const size = this.#layout.size
      context.strokeStyle = getComputedStyle(this.#canvas).getPropertyValue(colour)
      context.lineWidth = 2
      context.beginPath()
      if (isSlot) context.roundRect(place.x - 1, place.y - 1, size + 2, size + 2, 5)
      else context.roundRect(1, place.y + 1, this.#scroll.clientWidth - 2, headHeight - 3, 5)
      context.stroke()
    }
  }

  /** What a screen reader says of the cell that the keyboard is at. */
  #tellActive(): void {
    const actor = this.#cursor === undefined ? undefined : this.#view?.state.actors[this.#cursor]
    setText(this.#active, actor === undefined ? '' : `${actorName(actor)}, ${tagOf(actor)}`)
    this.#active.setAttribute('aria-selected', String(actor !== undefined && this.#selected === actor.actor))
  }

  #onClick(event: MouseEvent): void {
    const actor = actorAt(this.#layout, event.offsetX, event.offsetY + this.#scroll.scrollTop)
    if (actor === undefined) return
    this.#cursor = actor
    this.#select(actor)
  }

  #onKey(event: KeyboardEvent): void {
    const { order, columns } = this.#layout
    if (event.key === 'Enter' && this.#cursor !== undefined) this.#select(this.#cursor)
    const at = this.#cursor === undefined ? -1 : order.indexOf(this.#cursor)
    const moves: Readonly<Record<string, number>> = {
      ArrowRight: at + 1,
      ArrowLeft: at - 1,
      ArrowDown: at < 0 ? 0 : at + columns,
      ArrowUp: at - columns,
      Home: 0,
      End: order.length - 1,
    }
    const wanted = moves[event.key]
    if (wanted === undefined) return
    event.preventDefault()
    this.#cursor = order[Math.min(Math.max(wanted, 0), order.length - 1)]
    this.#show()
  }

  #show(): void {
    const place = this.#cursor === undefined ? undefined : placeInGrid(this.#layout, this.#cursor)
    if (place === undefined) return
    const { scrollTop, clientHeight } = this.#scroll
    if (place.y < scrollTop) this.#scroll.scrollTop = place.y - headHeight
    else if (place.y + 40 > scrollTop + clientHeight) this.#scroll.scrollTop = place.y + 40 - clientHeight
    this.#draw()
  }
}

/** The link's region, and whether something is on the wire. */
function linkOf(coordinator: LiveActor | undefined): string {
  if (coordinator === undefined) return 'link not seen'
  const link = /\blink\.(\S+)/.exec(coordinator.state)?.[1] ?? 'unknown'
  return `link ${link}${coordinator.state.includes('wire.posting') ? ' · posting' : ''}`
}
