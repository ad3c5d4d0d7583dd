/** Floor 1: how long to wait before a container is tried again. */

export interface RetryOptions {
  /** Attempts of a call in all, the first included. */
  readonly attempts: number
  /** The pause after the first failed attempt; it grows by as much with each further one. */
  readonly delayMs: number
  readonly maxDelayMs: number
}

/** The pause after `failures` failed attempts in a row: delayMs × failures, ±25 %, at most maxDelayMs. */
export function pauseMs(failures: number, options: RetryOptions, random: () => number = Math.random): number {
  const jitter = 0.75 + random() * 0.5
  return Math.min(options.maxDelayMs, options.delayMs * failures * jitter)
}

/** The pause that a `Retry-After` header asks for, in seconds or as a date; undefined when it says nothing usable. */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  if (header === null) return undefined
  const text = header.trim()
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}
