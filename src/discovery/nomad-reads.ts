/** Floor 2: the rules of Nomad's blocking queries. Browser compatible. */

/** A read that took less than this did not wait for anything. */
const hastyMs = 1_000
/** How many in a row may: the first one never waits, and the one after may bring what happened in between. */
const allowed = 3
const maxRestMs = 2_000

/**
 * The index to ask with next, after an answer with `answered` to a question with `asked`. One that went backwards is of
 * another history, as after a restore: 0 starts again and never blocks.
 */
export function nextIndex(asked: number, answered: number): number {
  return answered < asked ? 0 : answered
}

/** How many reads in a row answered at once, with one that took `tookMs`. */
export function hastyReads(before: number, tookMs: number): number {
  return tookMs < hastyMs ? before + 1 : 0
}

/** The pause, in milliseconds, that keeps reads that answer at once from becoming a storm. */
export function restMs(hasty: number): number {
  return hasty <= allowed ? 0 : Math.min(maxRestMs, 100 * 2 ** Math.min(hasty - allowed - 1, 10))
}

/** `wait` and `index` of a blocking query. */
export function blocking(index: number, waitMs: number): Readonly<Record<string, string>> {
  return index === 0 ? {} : { index: String(index), wait: `${Math.max(1, Math.round(waitMs))}ms` }
}

/** How long Nomad may hold such an answer back: up to 1/16 more than was asked for. */
export function heldMs(waitMs: number): number {
  return waitMs + waitMs / 16
}
