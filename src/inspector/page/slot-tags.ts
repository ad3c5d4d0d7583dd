/** What a slot shows in each state of its chart, as read from the machine. */
import { charts } from '../charts.ts'
import type { LiveActor } from '../system-state.ts'

const tags = new Map(
  charts.flatMap(({ states }) =>
    states.flatMap(({ id, tag }): [string, string][] => (tag === undefined ? [] : [[id, tag]])),
  ),
)

/** Each with a letter: colour alone tells nothing to many. */
export const slotTags = [
  { tag: 'idle', letter: '' },
  { tag: 'acquired', letter: 'A' },
  { tag: 'executing', letter: 'E' },
  { tag: 'cancelling', letter: 'C' },
  { tag: 'resetting', letter: 'R' },
  { tag: 'releasing', letter: 'L' },
  { tag: 'faulted', letter: 'F' },
] as const

export type SlotTag = (typeof slotTags)[number]['tag']

export function tagOf({ chart, state }: Pick<LiveActor, 'chart' | 'state'>): SlotTag {
  const tag = tags.get(`${chart}.${state}`)
  return slotTags.find((each) => each.tag === tag)?.tag ?? 'idle'
}

/** The letter of a slot's tag. */
export function letterOf(tag: SlotTag): string {
  return slotTags.find((each) => each.tag === tag)?.letter ?? ''
}
