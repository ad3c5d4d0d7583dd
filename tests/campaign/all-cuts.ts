/** Resets, closes and stalls at every byte of requests and answers: what the checks of promise 2 share. */
import type { ExecutionResult } from '../../mod.ts'
import { cuts, longest } from '../faults/extended-histories.ts'
import type { Direction, Fault } from '../support/fault-plan.ts'
import { below, exactly, type Figure, type Findings } from './check.ts'

interface Struck {
  readonly results: readonly ExecutionResult[]
  readonly bytes: Readonly<Record<Direction, number>>
}

/** One way to call: fresh or reused connections, alone or in a batch. */
export interface Way<H extends Struck> {
  readonly name: string
  exhaust(faults: readonly Fault[]): Promise<H[]>
  violations(histories: readonly H[]): string[]
}

/** `bytes`: how far each message is taken, which must be beyond its end. `allExited`: whether every result must come. */
export async function cutEverywhere<H extends Struck>(
  ways: readonly Way<H>[],
  {
    step,
    bytes,
    allExited,
  }: { step: number; bytes: Readonly<Record<Direction, number>>; allExited: boolean },
): Promise<Findings> {
  const figures: Figure[] = []
  const wrongs: string[] = []
  const outcomes = new Map<string, number>()
  let struck = 0
  for (const direction of ['request', 'response'] as const) {
    let most = 0
    for (const { name, exhaust, violations } of ways) {
      const histories = await exhaust(cuts(['reset', 'close', 'stall'], direction, bytes[direction], step))
      struck += histories.length
      most = Math.max(most, longest(histories, direction))
      wrongs.push(...violations(histories).map((violation) => `${name}, ${violation}`))
      for (const { outcome } of histories.flatMap(({ results }) => results))
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    figures.push(below(`bytes of the longest ${direction}`, most, bytes[direction]))
  }
  const told = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ')
  const without = [...outcomes].reduce((sum, [outcome, count]) => sum + (outcome === 'exited' ? 0 : count), 0)
  const where = step === 1 ? 'every byte' : `one byte in ${step}`
  return {
    done: `${struck} resets, closes and stalls, at ${where}, ${ways.map(({ name }) => name).join('; ')}: ${told}`,
    figures: [
      exactly('violations', wrongs.length, 0),
      ...(allExited ? [exactly('calls without their result', without, 0)] : []),
      ...figures,
    ],
    wrongs,
  }
}
