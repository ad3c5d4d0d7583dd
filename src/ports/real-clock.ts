/** Floor 1: the runtime's own clock. Browser compatible. */
import type { Clock } from './clock.ts'

/** What a timer can hold: 24.8 days. One that is asked for more would be over at once. */
const longestTimerMs = 2 ** 31 - 1

export const realClock: Clock = {
  now: () => performance.now(),
  setTimeout: (task, ms) => setTimeout(task, Math.min(ms, longestTimerMs)),
  clearTimeout: (timer) => clearTimeout(timer as Parameters<typeof clearTimeout>[0]),
}
