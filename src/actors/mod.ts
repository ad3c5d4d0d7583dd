/** The charts, for people who compose their own systems. Implement the named actions with `provide`. */
export { coordinatorMachine } from './coordinator.machine.ts'
export { withLearnedEdges } from './learned-edges.ts'
export type { Call, CoordinatorEvent, Ended, PoolEvent, Refused, SlotEvent } from './messages.ts'
export { poolMachine } from './pool.machine.ts'
export { slotMachine } from './slot.machine.ts'
export { linkStateOf, slotStateOf } from './states.ts'
