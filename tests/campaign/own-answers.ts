/**
 * Promise 7: answers whose items are permuted, doubled, foreign, missing, without ids, malformed or cut at any byte, as
 * JSON and as NDJSON: no call gets what is another's. `bun tests/campaign/own-answers.ts [batches]`
 */
import { createMemoryTransport, type ExecutionResult, SandboxExecutor } from '../../mod.ts'
import { extendedHealth } from '../support/answer-stream.ts'
import { fastClock } from '../support/fast-clock.ts'
import { pick, randomOf, shuffled } from '../support/random.ts'
import { type ReceivedCall, success } from '../support/scripted-container.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'

const seed = Number(process.env.CAMPAIGN_SEED ?? 7)

type Random = () => number

interface Bending {
  readonly name: string
  bend(lines: readonly string[], random: Random): string[]
}

const some = (random: Random, lines: readonly string[]) => Math.floor(random() * lines.length)

/** What may be wrong with the lines, or items, of an answer. */
const bendings: readonly [Bending, ...Bending[]] = [
  { name: 'permuted', bend: (lines, random) => shuffled(random, lines) },
  { name: 'doubled', bend: (lines, random) => [...lines, ...lines.slice(some(random, lines))] },
  {
    name: 'foreign',
    bend: (lines, random) => lines.toSpliced(some(random, lines), 0, foreign(crypto.randomUUID())),
  },
  { name: 'missing', bend: (lines, random) => lines.toSpliced(some(random, lines), 1) },
  { name: 'replaced', bend: (lines, random) => lines.with(some(random, lines), foreign('another')) },
  { name: 'malformed', bend: (lines, random) => lines.with(some(random, lines), '{"output": 7}') },
  { name: 'no object', bend: (lines, random) => lines.with(some(random, lines), 'null') },
]

const foreign = (id: string) =>
  JSON.stringify({ success: true, output: 'of another', error: '', execution_id: id })

/** Answers a request: as JSON, or line by line; bent, and sometimes cut. */
function answer(
  calls: readonly ReceivedCall[],
  isStream: boolean,
  random: Random,
  struck: Set<string>,
): Response {
  let lines = calls.map((call) => JSON.stringify(success(call, `ran ${call.execution_id}`)))
  for (let times = Math.floor(random() * 3); times > 0; times -= 1) {
    const bending = pick(random, bendings)
    struck.add(bending.name)
    if (lines.length > 0) lines = bending.bend(lines, random)
  }
  const text = isStream
    ? [...lines, JSON.stringify({ done: true, count: calls.length })].map((line) => `${line}\n`).join('')
    : `[${lines.join(',')}]`
  if (random() > 0.25) return new Response(text)
  struck.add('cut')
  const bytes = new TextEncoder().encode(text)
  return new Response(bytes.slice(0, Math.floor(random() * bytes.length)))
}

async function batch(isStream: boolean, random: Random, struck: Set<string>): Promise<ExecutionResult[]> {
  const transport = createMemoryTransport(async (request) => {
    if (request.method === 'GET') return isStream ? extendedHealth() : Response.json({ status: 'ok' })
    const body: readonly ReceivedCall[] = [await request.json()].flat()
    return answer(body, isStream, random, struck)
  })
  await using executor = new SandboxExecutor({ transport, retry: { delayMs: 10 } }, { clock: fastClock(20) })
  const slots = executor.slots('container:1', 2 + Math.floor(random() * 6))
  return await executor.executeBatch(slots.map((slot) => [slot, 'bash', { command: 'x' }]))
}

export const ownAnswers: Check = {
  name: 'own-answers',
  row: '7',
  unit: 'batches',
  sizes: { full: 5_000, quick: 600 },
  run: async (batches) => {
    const random = randomOf(seed)
    const struck = new Set<string>()
    const results: ExecutionResult[] = []
    for (let at = 0; at < batches; at += 20) {
      const side = Array.from({ length: Math.min(20, batches - at) }, (_, index) =>
        batch(index % 2 === 0, random, struck),
      )
      results.push(...(await Promise.all(side)).flat())
    }
    const others = results.filter(
      ({ outcome, output, executionId }) => outcome === 'exited' && output !== `ran ${executionId}`,
    )
    // A result that came is no proof that a call did not run.
    const untrue = results.filter(({ outcome }) => outcome !== 'exited' && outcome !== 'unknown')
    const own = results.filter(({ outcome }) => outcome === 'exited').length
    return {
      done: `${results.length} calls in ${batches} batches, half of them JSON, half NDJSON, bent or cut: ${own} had their own result, ${results.length - own} unknown`,
      figures: [
        exactly('had the result of another', others.length, 0),
        exactly('told as not run', untrue.length, 0),
        atLeast('ways of bending', struck.size, bendings.length + 1),
        atLeast('own results', own, results.length / 4),
      ],
      wrongs: [...others, ...untrue].map((result) => JSON.stringify(result)),
    }
  },
}

if (import.meta.main) await runAlone(ownAnswers)
