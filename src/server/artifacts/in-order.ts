/** Sorts in small steps. */
import { setImmediate } from 'node:timers/promises'

/** Few enough to be sorted, or merged, within some milliseconds. */
const STEP = 4_096

type Compare<T> = (a: T, b: T) => number

/** As `items.sort(compare)`, but others get a turn in between: sorting a million names takes a second. */
export async function inOrder<T>(items: readonly T[], compare: Compare<T>): Promise<T[]> {
  let runs: T[][] = []
  for (let at = 0; at < items.length; at += STEP) {
    if (at > 0) await setImmediate()
    runs.push(items.slice(at, at + STEP).sort(compare))
  }
  while (runs.length > 1) {
    const merged: T[][] = []
    for (let at = 0; at < runs.length; at += 2) {
      merged.push(await mergedRuns(runs[at] ?? [], runs[at + 1] ?? [], compare))
    }
    runs = merged
  }
  return runs[0] ?? []
}

async function mergedRuns<T>(left: readonly T[], right: readonly T[], compare: Compare<T>): Promise<T[]> {
  const merged: T[] = []
  const rest = right.values()
  let next = rest.next()
  for (const item of left) {
    for (; !next.done && compare(next.value, item) < 0; next = rest.next()) {
      merged.push(next.value)
      if (merged.length % STEP === 0) await setImmediate()
    }
    merged.push(item)
    if (merged.length % STEP === 0) await setImmediate()
  }
  for (; !next.done; next = rest.next()) {
    merged.push(next.value)
    if (merged.length % STEP === 0) await setImmediate()
  }
  return merged
}
