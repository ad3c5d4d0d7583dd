/** Floor 0: request and response of one tool call, as they cross the wire. Times are seconds here. */
import * as v from 'valibot'
import { isJsonObject, jsonObject } from './json-object.ts'

/** Body of `POST /execute`, and one item of `POST /batch`. */
export interface ExecutionRequestBody {
  readonly slot_id: string
  readonly tool: string
  readonly args: Readonly<Record<string, unknown>>
  readonly execution_id: string
  readonly timeout: number
}

/** Answer to `POST /execute` and `POST /reset`, and one item of the answer to `POST /batch` or `POST /v2/batch`. */
export interface ExecutionResponseBody {
  readonly success: boolean
  readonly output: string
  readonly error: string
  readonly execution_id: string | null
  readonly metadata: Readonly<Record<string, unknown>>
  /** What the server did to the call, when it was not the tool that ended it. Base servers never say it. */
  readonly code?: ServerCode | undefined
}

/**
 * `interrupted`: the server ended while the call ran. `server_stopping`: it was about to end, the call did not run.
 * `sandbox_failed`: no sandbox could be had, the call did not run. `execution_id_conflict`: another call has had this id,
 * this one did not run. `invalid_request`: something is wrong with the item, it did not run. `ledger_failed`: that it
 * began could not be written down, so it did not run.
 */
export type ServerCode =
  | 'interrupted'
  | 'server_stopping'
  | 'sandbox_failed'
  | 'execution_id_conflict'
  | 'invalid_request'
  | 'ledger_failed'

const serverCodes: readonly ServerCode[] = [
  'interrupted',
  'server_stopping',
  'sandbox_failed',
  'execution_id_conflict',
  'invalid_request',
  'ledger_failed',
]

/** What the client sends: strict, since it is ours. */
export const executionRequest = v.strictObject({
  slot_id: v.pipe(v.string(), v.nonEmpty()),
  tool: v.pipe(v.string(), v.nonEmpty()),
  args: v.record(v.string(), v.unknown()),
  execution_id: v.pipe(v.string(), v.nonEmpty()),
  timeout: v.pipe(v.number(), v.finite(), v.gtValue(0)),
})

const anyResponse = v.pipe(
  jsonObject,
  v.object({
    success: v.nullish(v.boolean(), false),
    output: v.nullish(v.string(), ''),
    error: v.nullish(v.string(), ''),
    execution_id: v.nullish(v.string(), null),
    metadata: v.nullish(jsonObject, {}),
    code: v.fallback(v.optional(v.picklist(serverCodes)), undefined),
  }),
)

/** The form that well-kept servers answer in. To look at it is much cheaper than to build it anew, field by field. */
export const wholeResponse = v.custom<ExecutionResponseBody>(isWhole)

/** Many of them: one look at the list is cheaper than one by a schema for each. */
export const wholeResponses = v.custom<readonly ExecutionResponseBody[]>(
  (input) => Array.isArray(input) && input.every(isWhole),
)

function isWhole(input: unknown): boolean {
  return (
    typeof input === 'object' &&
    input !== null &&
    'success' in input &&
    typeof input.success === 'boolean' &&
    'output' in input &&
    typeof input.output === 'string' &&
    'error' in input &&
    typeof input.error === 'string' &&
    'execution_id' in input &&
    typeof input.execution_id === 'string' &&
    'metadata' in input &&
    isJsonObject(input.metadata) &&
    !('code' in input)
  )
}

/** What a server answers: fields may be missing or null, others may be there. */
export const executionResponse: v.GenericSchema<unknown, ExecutionResponseBody> = v.lazy((input) =>
  v.is(wholeResponse, input) ? wholeResponse : anyResponse,
)
