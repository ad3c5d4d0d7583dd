/** Whatever a server answers, what comes out is a result of the documented form; `tests/campaign/answers-fuzz.ts` is the long form. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createMemoryTransport, SandboxExecutor } from '../../mod.ts'
import { answerCases, strangenessOf } from './answer-cases.ts'

test('whatever a server answers, a typed result comes of it, and nothing is thrown', async () => {
  await fc.assert(
    fc.asyncProperty(answerCases, async (given) => {
      expect(await strangenessOf(given)).toBeNull()
    }),
    { numRuns: 60 },
  )
}, 60_000)

test('an array is no answer, though it has no field of the wrong type', async () => {
  const transport = createMemoryTransport(async ({ url }) =>
    Response.json(url.endsWith('/health') ? { status: 'ok' } : [1, 2]),
  )
  await using executor = new SandboxExecutor({ transport })
  const slot = executor.slot({ slotId: 'slot_0', containerAddr: 'http://arrays' })
  const answers = [slot.bash('x'), slot.artifacts.read('x'), slot.artifacts.list(), slot.artifacts.archive()]
  for (const { failure } of await Promise.all(answers)) expect(failure?.code).toBe('bad-response')
})
