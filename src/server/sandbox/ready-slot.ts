/** What is known of one slot's sandboxes. */
import type { Shell } from './shell.ts'
import type { SlotHolder } from './slot-holder.ts'

const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 30_000

/** A sandbox that waits for the slot's next call. */
export interface Waiting {
  readonly shell: Shell
  /** The directory that it sees, whatever has its name now. */
  readonly directory: string
  readonly idle: ReturnType<typeof setTimeout>
}

export interface ReadySlot {
  /** Makes the sandboxes that wait, where it can; lives as long as one of them waits or runs. */
  readonly holder: SlotHolder
  waiting: Waiting | null
  later: ReturnType<typeof setTimeout> | null
  failures: number
  /** A call has a sandbox. None waits beside it: when that was not wanted, the holder of both would be ended. */
  isBusy: boolean
  /** Whether a call has been here that found none waiting. */
  wasMissed: boolean
  /** What the slot's user did after the last call: then the next sandbox is made sooner or later. */
  wasReset: boolean
  expectsReset: boolean
  network: boolean
  /** The last command was a program that needed no shell: none is started for the next one before it is there. */
  shellLater: boolean
}

export function newReadySlot(holder: SlotHolder): ReadySlot {
  const used = { wasMissed: false, wasReset: false, expectsReset: false, network: false, shellLater: false }
  return { holder, waiting: null, later: null, failures: 0, isBusy: false, ...used }
}

/** How long nothing is made after so many failures in a row. */
export function pauseAfter(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), MAX_PAUSE_MS)
}
