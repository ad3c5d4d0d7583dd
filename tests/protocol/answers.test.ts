/** Whatever a server answers, what comes out is a result of the documented form; `tests/campaign/answers-fuzz.ts` is the long form. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { answerCases, strangenessOf } from './answer-cases.ts'

test('whatever a server answers, a typed result comes of it, and nothing is thrown', async () => {
  await fc.assert(
    fc.asyncProperty(answerCases, async (given) => {
      expect(await strangenessOf(given)).toBeNull()
    }),
    { numRuns: 60 },
  )
}, 60_000)
