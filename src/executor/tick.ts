/** Floor 3: the tick. Browser compatible. */
import type { Clock, Tick } from '../ports/clock.ts'

/** The tick of a batching window: one macrotask for 0, a timer for more. */
export function tickFor(windowMs: number, clock: Clock): Tick {
  if (windowMs > 0) return (task) => void clock.setTimeout(task, windowMs)
  return macrotask()
}

/** `setImmediate` where there is one: it is the soonest macrotask. */
function macrotask(): Tick {
  const immediate: unknown = Reflect.get(globalThis, 'setImmediate')
  return typeof immediate === 'function' ? (task) => void immediate(task) : portTick
}

/** A message port, closed again: an open one keeps some runtimes from ending. */
const portTick: Tick = (task) => {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    task()
  }
  port2.postMessage(undefined)
}
