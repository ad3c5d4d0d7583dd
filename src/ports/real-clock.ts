/** Floor 1: the runtime's own clock. Browser compatible. */
import type { Clock } from './clock.ts'

export const realClock: Clock = {
  now: () => performance.now(),
  setTimeout: (task, ms) => setTimeout(task, ms),
  clearTimeout: (timer) => clearTimeout(timer as Parameters<typeof clearTimeout>[0]),
}
