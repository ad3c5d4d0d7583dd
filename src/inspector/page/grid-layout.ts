/** Where each slot's cell is: slots by container, in rows. Pure. */
import type { LiveActor } from '../system-state.ts'
import { placeOf } from './format.ts'

export interface Group {
  readonly container: string
  /** The coordinator, when it is known. */
  readonly coordinator: number | undefined
  readonly slots: readonly number[]
  readonly top: number
}

export interface GridLayout {
  readonly groups: readonly Group[]
  readonly columns: number
  /** Of a cell with the gap after it. */
  readonly pitch: number
  readonly size: number
  readonly height: number
  /** All slots, as they follow each other. */
  readonly order: readonly number[]
}

export const headHeight = 24
const groupGap = 8
/** Room for the mark around what is selected. */
const edge = 2

export function gridLayout(actors: readonly LiveActor[], width: number): GridLayout {
  const byContainer = new Map<string, { coordinator: number | undefined; slots: number[] }>()
  for (const actor of actors) {
    if (actor === undefined || (actor.chart !== 'slot' && actor.chart !== 'coordinator')) continue
    const { container } = placeOf(actor)
    const group = byContainer.get(container) ?? { coordinator: undefined, slots: [] }
    byContainer.set(container, group)
    if (actor.chart === 'slot') group.slots.push(actor.actor)
    else group.coordinator = actor.actor
  }
  const slots = [...byContainer.values()].reduce((sum, group) => sum + group.slots.length, 0)
  const { size, gap } = cellOf(slots)
  const pitch = size + gap
  const columns = Math.max(1, Math.floor((width - 2 * edge + gap) / pitch))
  let top = 0
  const groups = [...byContainer].map(([container, group]) => {
    const placed = { container, ...group, top }
    top += headHeight + Math.ceil(group.slots.length / columns) * pitch + groupGap
    return placed
  })
  const order = groups.flatMap((group) => group.slots)
  return { groups, columns, pitch, size, height: top, order }
}

/** Letters while there is room for them. */
function cellOf(slots: number): { size: number; gap: number } {
  if (slots <= 150) return { size: 30, gap: 4 }
  if (slots <= 800) return { size: 20, gap: 3 }
  if (slots <= 3_000) return { size: 13, gap: 2 }
  return { size: 10, gap: 2 }
}

/** The corner of a slot's cell. */
export function cellAt(layout: GridLayout, group: Group, index: number): { x: number; y: number } {
  const { columns, pitch } = layout
  return {
    x: edge + (index % columns) * pitch,
    y: group.top + headHeight + Math.floor(index / columns) * pitch,
  }
}

/** What is at a point: a slot, or the coordinator at its heading. */
export function actorAt(layout: GridLayout, x: number, y: number): number | undefined {
  const group = layout.groups.findLast(({ top }) => top <= y)
  if (group === undefined) return undefined
  if (y < group.top + headHeight) return group.coordinator
  const column = Math.floor(Math.max(0, x - edge) / layout.pitch)
  const row = Math.floor((y - group.top - headHeight) / layout.pitch)
  return column >= layout.columns ? undefined : group.slots[row * layout.columns + column]
}

/** Where a slot is. */
export function placeInGrid(layout: GridLayout, actor: number): { x: number; y: number } | undefined {
  for (const group of layout.groups) {
    const index = group.slots.indexOf(actor)
    if (index >= 0) return cellAt(layout, group, index)
    if (group.coordinator === actor) return { x: 0, y: group.top }
  }
  return undefined
}
