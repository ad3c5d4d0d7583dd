/**
 * The client's parsing: answers of any status, headers and body, recorded and right ones that were damaged among them, to
 * everything that a client asks; typed results come of them, and nothing else. `bun tests/campaign/answers-fuzz.ts [rounds]`
 */
import fc from 'fast-check'
import { answerCases, strangenessOf } from '../protocol/answer-cases.ts'
import { type Check, exactly, runAlone } from './check.ts'

export const answersFuzz: Check = {
  name: 'answers-fuzz',
  row: 'fuzz',
  unit: 'rounds',
  sizes: { full: 2_000, quick: 150 },
  run: async (rounds) => {
    const stray: string[] = []
    const note = (reason: unknown) => stray.push(`Nobody caught: ${reason}`)
    process.on('unhandledRejection', note)
    process.on('uncaughtException', note)
    let strange = ''
    const property = fc.asyncProperty(answerCases, async (given) => {
      const strangeness = await strangenessOf(given)
      if (strangeness === null) return
      strange = strangeness
      throw new Error(strangeness)
    })
    const { failed, counterexample, numRuns } = await fc.check(property, { numRuns: rounds })
    // What was given up may still fail.
    await Bun.sleep(200)
    const wrongs = failed ? [`${strange}, for ${fc.stringify(counterexample)}`] : []
    return {
      done: `${numRuns} rounds of strange answers to all 11 kinds of requests`,
      figures: [
        exactly('results that are none, or thrown', wrongs.length, 0),
        exactly('errors that nobody caught', stray.length, 0),
      ],
      wrongs: [...wrongs, ...stray],
    }
  },
}

if (import.meta.main) await runAlone(answersFuzz)
