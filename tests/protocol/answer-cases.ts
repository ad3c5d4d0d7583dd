/** Answers that no server should give, and what must hold of every result that the client makes of one. */
import fc from 'fast-check'
import * as v from 'valibot'
import { createMemoryTransport, SandboxExecutor, type Slot } from '../../mod.ts'
import { extendedHealth } from '../support/answer-stream.ts'
import { type Damage, damage, damages } from '../support/damage.ts'
import { fastClock } from '../support/fast-clock.ts'
import { type Exchange, recordedResponse, vectors } from '../support/vectors.ts'

/** What is answered to every request but the first look at the health. */
interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body:
    | { readonly kind: 'damaged'; readonly damages: readonly Damage[] }
    | { readonly kind: 'recorded'; readonly index: number; readonly damages: readonly Damage[] }
    | { readonly kind: 'text'; readonly text: string }
    | { readonly kind: 'bytes'; readonly bytes: Uint8Array<ArrayBuffer> }
}

export interface AnswerCase {
  readonly isExtended: boolean
  /** One after the other; the last one again and again. */
  readonly answers: readonly Answer[]
}

const status = fc.oneof(
  { weight: 6, arbitrary: fc.constant(200) },
  { weight: 2, arbitrary: fc.constantFrom(201, 400, 404, 408, 412, 413, 425, 429, 500, 502, 503, 599) },
)
const headers = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      { 'retry-after': '-1' },
      { 'retry-after': '1e9' },
      { 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' },
      { 'content-type': 'text/html' },
      { 'content-length': '5' },
      { etag: '"x"' },
      { etag: `"${'0'.repeat(64)}"`, 'content-range': 'bytes 0-1/' },
    ),
  },
)
const body: fc.Arbitrary<Answer['body']> = fc.oneof(
  fc.record({ kind: fc.constant('damaged' as const), damages }),
  fc.record({ kind: fc.constant('recorded' as const), index: fc.nat(), damages }),
  fc.jsonValue().map((value) => ({ kind: 'text' as const, text: JSON.stringify(value) })),
  fc.string({ unit: 'binary' }).map((text) => ({ kind: 'text' as const, text })),
  fc.uint8Array().map((bytes) => ({ kind: 'bytes' as const, bytes: new Uint8Array(bytes) })),
)

export const answerCases: fc.Arbitrary<AnswerCase> = fc.record({
  isExtended: fc.boolean(),
  answers: fc.array(fc.record({ status, headers, body }), { minLength: 1, maxLength: 4 }),
})

/** The answer that would be right, as text. */
async function rightAnswer(request: Request): Promise<string> {
  const { pathname } = new URL(request.url)
  if (request.method !== 'POST') return JSON.stringify({ status: 'ok', slots: 4 })
  const posted: unknown = await request.json()
  if (pathname === '/cancel') return JSON.stringify({ cancelled: ['a'], finished: [], unknown: [] })
  const results = [posted].flat().map((call) => ({
    success: true,
    output: 'fine',
    error: '',
    execution_id: Object(call).execution_id ?? null,
    metadata: { exit_code: 0, stdout: 'fine', duration: 0.1 },
  }))
  if (pathname === '/v2/batch') {
    const lines = [...results, { done: true, count: results.length }]
    return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
  }
  return JSON.stringify(Array.isArray(posted) ? results : results[0])
}

async function bodyFor(request: Request, { body }: Answer): Promise<string | Uint8Array<ArrayBuffer>> {
  switch (body.kind) {
    case 'damaged':
      return damage(await rightAnswer(request), body.damages)
    case 'recorded': {
      const exchange: Exchange | undefined = vectors[body.index % Math.max(1, vectors.length)]
      const text = exchange === undefined ? '{}' : await recordedResponse(exchange).text()
      return damage(text, body.damages)
    }
    case 'text':
      return body.text
    case 'bytes':
      return body.bytes
  }
}

const codes = v.picklist([
  'unreachable',
  'http-error',
  'bad-response',
  'missing-result',
  'too-large',
  'deadline',
  'aborted',
  'closed',
  'slot-faulted',
  'container-lost',
  'interrupted',
  'conflict',
  'unsupported',
])
const failure = v.strictObject({
  code: codes,
  message: v.pipe(v.string(), v.nonEmpty()),
  attempts: v.pipe(v.number(), v.integer(), v.minValue(0)),
})
const executionResult = v.strictObject({
  success: v.boolean(),
  output: v.string(),
  error: v.string(),
  executionId: v.string(),
  slotId: v.string(),
  metadata: v.record(v.string(), v.unknown()),
  outcome: v.picklist(['exited', 'timed-out', 'cancelled', 'not-run', 'unknown']),
  timing: v.strictObject({
    queuedMs: v.number(),
    wireMs: v.number(),
    totalMs: v.number(),
    toolMs: v.optional(v.number()),
  }),
  failure: v.optional(failure),
})
const fileResult = v.looseObject({
  success: v.boolean(),
  httpStatus: v.optional(v.number()),
  error: v.optional(v.string()),
  failure: v.optional(failure),
})
const contradiction = v.looseObject({ success: v.literal(true), failure: v.object({}) })
const containerStatus = v.nullable(v.looseObject({ raw: v.record(v.string(), v.unknown()) }))

/** Everything that a client asks of a server, and what each must come to. */
const requests: readonly {
  readonly name: string
  readonly schema: v.GenericSchema
  run(executor: SandboxExecutor, slot: Slot, other: Slot): Promise<unknown>
}[] = [
  { name: 'bash', schema: executionResult, run: (_, slot) => slot.bash('x', { timeoutMs: 500 }) },
  {
    name: 'executeBatch',
    schema: v.pipe(v.array(executionResult), v.length(2)),
    run: (executor, slot, other) =>
      executor.executeBatch([
        [slot, 'bash', { command: 'x' }],
        [other, 'read_file', { path: 'x' }],
      ]),
  },
  {
    name: 'a call that is given up',
    schema: executionResult,
    run: (_, slot) => slot.bash('x', { signal: AbortSignal.timeout(1) }),
  },
  { name: 'reset', schema: executionResult, run: (executor, slot) => executor.resetSlot(slot) },
  { name: 'artifacts.read', schema: fileResult, run: (_, slot) => slot.artifacts.read('x') },
  {
    name: 'artifacts.read, hashed',
    schema: fileResult,
    run: (_, slot) => slot.artifacts.read('x', { includeSha256: true }),
  },
  { name: 'artifacts.list', schema: fileResult, run: (_, slot) => slot.artifacts.list() },
  { name: 'artifacts.archive', schema: fileResult, run: (_, slot) => slot.artifacts.archive() },
  { name: 'upload', schema: fileResult, run: (_, slot) => slot.upload('x', 'content') },
  { name: 'healthCheck', schema: v.boolean(), run: (executor) => executor.healthCheck('fuzz:1') },
  { name: 'status', schema: containerStatus, run: (executor) => executor.getContainerStatus('fuzz:1') },
]

/** What is strange about the results that the client makes of these answers; null when nothing is. */
export async function strangenessOf({ isExtended, answers }: AnswerCase): Promise<string | null> {
  for (const { name, schema, run } of requests) {
    let asked = 0
    const transport = createMemoryTransport(async (request) => {
      asked += 1
      if (asked === 1) return isExtended ? extendedHealth() : Response.json({ status: 'ok' })
      const answer = answers[Math.min(asked - 2, answers.length - 1)]
      if (answer === undefined) throw new Error('There is always an answer')
      return new Response(await bodyFor(request, answer), answer)
    })
    await using executor = new SandboxExecutor(
      { transport, retry: { delayMs: 1 } },
      { clock: fastClock(100) },
    )
    const [slot, other] = executor.slots('fuzz:1', 2)
    if (other === undefined) throw new Error('There are two slots')
    const result = await run(executor, slot, other).catch((error: unknown) => `it rejected: ${error}`)
    const parsed = v.safeParse(schema, result)
    if (!parsed.success)
      return `${name}: ${v.getDotPath(parsed.issues[0])} ${parsed.issues[0].message}: ${show(result)}`
    if (executor.pending !== 0) return `${name}: ${executor.pending} calls are left`
    if (v.is(contradiction, result)) return `${name}: success with a failure: ${show(result)}`
  }
  return null
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value)
}
