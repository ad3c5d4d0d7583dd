/** Floor 2: pauses and time limits that a signal ends early. Browser compatible. */
import type { Clock } from '../ports/clock.ts'

/** Resolves after `ms` milliseconds, or when `signal` fires; without `ms` only then. */
export async function pause(clock: Clock, ms: number | undefined, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const end = () => resolve()
  const timer = ms === undefined ? undefined : clock.setTimeout(end, ms)
  signal.addEventListener('abort', end, { once: true })
  await promise
  signal.removeEventListener('abort', end)
  if (timer !== undefined) clock.clearTimeout(timer)
}

/** What `promise` brings, or undefined as soon as `signal` fires. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>()
  const abort = () => resolve(undefined)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** Runs `task` with a signal that fires after `ms` milliseconds, or with `signal`. */
export async function withinTime<T>(
  clock: Clock,
  ms: number,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort(signal.reason)
  const timer = clock.setTimeout(() => controller.abort(new Error(`no answer within ${ms} ms`)), ms)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  try {
    return await task(controller.signal)
  } finally {
    clock.clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}
