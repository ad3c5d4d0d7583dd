/** Floor 1: time. XState's `SimulatedClock` is one too. */
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number
  setTimeout(task: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

/** Runs a task once, after what is under way now: the time in which a batch collects. */
export type Tick = (task: () => void) => void
