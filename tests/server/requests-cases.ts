/** Requests for the property tests: valid ones, and what can be wrong with them. */
import fc from 'fast-check'
import * as v from 'valibot'
import { parseBatchLine } from '../../src/protocol/batch.ts'
import { cancelResponse } from '../../src/protocol/cancel.ts'
import { damage, damages } from '../support/damage.ts'
import { vectors } from '../support/vectors.ts'
import { bodyOf } from './differences.ts'

export const routes = [
  '/execute',
  '/batch',
  '/reset',
  '/artifacts/read',
  '/artifacts/list',
  '/artifacts/archive',
  '/v2/batch',
  '/cancel',
] as const

const notText = fc.constantFrom<unknown>(7, true, [], {}, ['slot_0'], 1e300)
const notUnicode = fc.constantFrom('\ud800', 'x\udfff', '\udc00\ud800')
const notSeconds = fc.constantFrom<unknown>(
  '5',
  null,
  true,
  [],
  {},
  0,
  -1,
  -0,
  86_400.1,
  1e9,
  1e300,
  '1e3',
  'NaN',
)
const notFlag = fc.constantFrom<unknown>('true', 1, 0, null, [], {})
const notObject = fc.constantFrom<unknown>('ls', 7, null, true, [], ['command'])

/** One field that is wrong, by its name in the refusal. */
export interface WrongField {
  readonly field: string
  readonly fields: Readonly<Record<string, unknown>>
}

const wrong = (field: string, values: fc.Arbitrary<unknown>): fc.Arbitrary<WrongField> =>
  values.map((value) => ({ field, fields: { [field]: value } }))

/** A bash call that is refused for one field, whatever else is in it. */
export function wrongCalls(command: string): fc.Arbitrary<WrongField> {
  const wrongArg = (name: string, values: fc.Arbitrary<unknown>) =>
    values.map((value) => ({ field: `args.${name}`, fields: { args: { command, [name]: value } } }))
  const field = fc.oneof(
    wrong('slot_id', fc.oneof(notText, notUnicode)),
    wrong('tool', fc.oneof(notText, notUnicode)),
    wrong('execution_id', fc.oneof(notText, notUnicode)),
    wrong('timeout', notSeconds),
    wrong('args', notObject),
    wrongArg('command', fc.oneof(notText, notUnicode, fc.constantFrom(`${command}\0`, `\0${command}`))),
    wrongArg('allow_network', notFlag),
    wrongArg('require_sandbox', notFlag),
  )
  const valid = { slot_id: 'slot_0', tool: 'bash', args: { command }, execution_id: 'x', timeout: 5 }
  // Unknown fields are no mistake, and hide none.
  const more = fc.dictionary(
    fc.string().filter((key) => !(key in valid)),
    fc.jsonValue(),
    { maxKeys: 3 },
  )
  return fc.tuple(field, more).map(([{ field, fields }, extra]) => ({
    field,
    fields: { ...extra, ...valid, ...fields },
  }))
}

const readFile = { slot_id: 'slot_0', tool: 'read_file', args: { path: 'a' }, timeout: 5 }

/** Bodies that were recorded, and some of the extended protocol; without commands: no piece of one may be run. */
export function recordedBodies(): string[] {
  const extended = [
    [{ ...readFile, execution_id: 'a', live: true }],
    [
      { ...readFile, execution_id: 'b' },
      { ...readFile, execution_id: 'c', slot_id: 'slot_1' },
    ],
    { execution_ids: ['a', 'b'] },
  ].map((body) => JSON.stringify(body))
  const recorded = vectors
    .map(bodyOf)
    .filter((body) => body !== null && body.length <= 10_000 && !body.includes('"bash'))
  return [...extended, ...recorded.filter((body) => body !== null)]
}

/** One of the bodies with some of it cut out, doubled, or replaced by what JSON is made of. */
export function damaged(bodies: readonly string[]): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom(...bodies), damages).map(([body, given]) => damage(body, given))
}

const result = v.object({
  success: v.boolean(),
  output: v.string(),
  error: v.string(),
  execution_id: v.nullable(v.string()),
  metadata: v.record(v.string(), v.unknown()),
})
const refusal = v.object({ success: v.literal(false), error: v.pipe(v.string(), v.nonEmpty()) })
const found = v.looseObject({ success: v.literal(true) })

const statuses: readonly number[] = [200, 400, 403, 404, 413, 500]
const coded = v.object({ ...refusal.entries, code: v.pipe(v.string(), v.nonEmpty()) })
/** The only failures that are a base server's way to say what is wrong with a request. */
const base500 =
  /^(The request body must be an object|Item \d+ of the batch must be an object|Request Entity Too Large)$/

/** What is wrong with an answer, or `null` when it is one of those that the protocol knows. */
export function faultOf(path: string, status: number, text: string): string | null {
  if (!statuses.includes(status)) return `status ${status}`
  if (path === '/v2/batch' || path === '/cancel') return extendedFaultOf(path, status, text)
  const body: unknown = JSON.parse(text)
  if (status !== 200) {
    const refused = v.safeParse(refusal, body)
    if (!refused.success) return `an error that is none: ${text.slice(0, 200)}`
    return status === 500 && !base500.test(refused.output.error) ? refused.output.error : null
  }
  const shape = path === '/batch' ? v.array(result) : path.startsWith('/artifacts/') ? found : result
  if (!v.is(shape, body)) return `a strange answer: ${text.slice(0, 200)}`
  return text.includes('The server failed') ? text.slice(0, 300) : null
}

/** Refusals have a code, and none is the server's failure; an answer is whole, and each of its lines is one. */
function extendedFaultOf(path: string, status: number, text: string): string | null {
  const strange = (what: string) => `${what}, status ${status}: ${text.slice(0, 200)}`
  if (status >= 500 || text.includes('The server failed')) return strange('the server failed')
  if (status !== 200) return v.is(coded, JSON.parse(text)) ? null : strange('an error that is none')
  if (path === '/cancel') return v.is(cancelResponse, JSON.parse(text)) ? null : strange('a strange answer')
  const lines = text.trimEnd().split('\n').map(parseBatchLine)
  const results = lines.filter(({ kind }) => kind === 'result').length
  const last = lines.at(-1)
  if (lines.some(({ kind }) => kind === 'malformed')) return strange('a line that is none')
  return last?.kind === 'done' && last.value.count === results ? null : strange('an answer that is cut')
}
