/** Floor 2: what the charts show to the outside. */
import type { InspectionEvent, Observer, SnapshotFrom } from 'xstate'
import type { coordinatorMachine } from './coordinator.machine.ts'
import type { slotMachine } from './slot.machine.ts'

/** What a slot shows. */
export type SlotState =
  | 'idle'
  | 'acquired'
  | 'executing'
  | 'cancelling'
  | 'resetting'
  | 'releasing'
  | 'faulted'

/** Is the container there? `unknown` until it is tried; `down` between attempts, `probing` while one is made. */
export type LinkState = 'unknown' | 'probing' | 'up' | 'down'

/** What takes XState's inspection events. */
export type Inspect = Required<Pick<Observer<InspectionEvent>, 'next'>> | ((event: InspectionEvent) => void)

const slotStates: readonly SlotState[] = [
  'idle',
  'acquired',
  'executing',
  'cancelling',
  'resetting',
  'releasing',
  'faulted',
]

const linkStates: readonly LinkState[] = ['unknown', 'probing', 'up', 'down']

/** Each state of the chart carries one tag that names what the slot shows. */
export function slotStateOf(snapshot: SnapshotFrom<typeof slotMachine>): SlotState {
  const state = slotStates.find((candidate) => snapshot.hasTag(candidate))
  if (state === undefined) throw new RangeError(`No tag in slot state ${JSON.stringify(snapshot.value)}`)
  return state
}

/** Charts with learned edges have few snapshots, and show them again and again. */
const knownLinks = new WeakMap<SnapshotFrom<typeof coordinatorMachine>, LinkState>()

/** Whether the coordinator's container is there. */
export function linkStateOf(snapshot: SnapshotFrom<typeof coordinatorMachine>): LinkState {
  const known = knownLinks.get(snapshot)
  if (known !== undefined) return known
  const state = linkStates.find((candidate) => snapshot.matches({ link: candidate }))
  if (state === undefined)
    throw new RangeError(`No link in coordinator state ${JSON.stringify(snapshot.value)}`)
  knownLinks.set(snapshot, state)
  return state
}
