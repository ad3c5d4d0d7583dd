/** Floor 0: the bodies of `POST /batch` and `POST /v2/batch`, and their answers. */
import * as v from 'valibot'
import {
  type ExecutionRequestBody,
  type ExecutionResponseBody,
  executionRequest,
  executionResponse,
  wholeResponse,
} from './execution.ts'
import { isJsonObject } from './json-object.ts'
import { parseJson } from './routes.ts'

/** Body of `POST /batch`: calls of different slots. */
export type BatchRequestBody = readonly ExecutionRequestBody[]

/** What the client sends. */
export const batchRequest = v.array(executionRequest)

/** What a server answers. The items are parsed one by one, so that a bad one spoils no other. */
export const batchResponse = v.custom<readonly unknown[]>(Array.isArray)

/** One item of `POST /v2/batch`. */
export interface ExtendedRequestBody extends ExecutionRequestBody {
  /** Whether the output is wanted as it is printed: {@link LiveLine}s before the result. */
  readonly live?: boolean | undefined
}

/** What the client sends to `POST /v2/batch`. */
export const extendedBatchRequest: v.GenericSchema<unknown, readonly ExtendedRequestBody[]> = v.array(
  v.strictObject({ ...executionRequest.entries, live: v.optional(v.boolean()) }),
)

/** A piece of a running call's output. */
export interface LiveLine {
  readonly execution_id: string
  readonly stream: 'stdout' | 'stderr'
  /** Whole characters; what is no UTF-8 is U+FFFD here. */
  readonly data: string
  /**
   * Where the piece begins, in bytes as the command printed them. One that begins after the end of the piece before it
   * tells what a reader who was too slow has missed. The result holds head and tail in any case.
   */
  readonly offset: number
}

/** The last line of an answer that is whole. `count`: how many results it holds. */
export interface DoneLine {
  readonly done: true
  readonly count: number
}

/** One line of the answer to `POST /v2/batch`. */
export type BatchLine =
  | { readonly kind: 'result'; readonly value: ExecutionResponseBody }
  | { readonly kind: 'live'; readonly value: LiveLine }
  | { readonly kind: 'done'; readonly value: DoneLine }
  /** Neither; `executionId` tells whose it seems to be, so that it spoils that call and no other. */
  | { readonly kind: 'malformed'; readonly executionId: string | null; readonly message: string }

const doneLine = v.object({ done: v.literal(true), count: v.number() })
const liveLine = v.object({
  execution_id: v.string(),
  stream: v.picklist(['stdout', 'stderr']),
  data: v.string(),
  offset: v.number(),
})
const identified = v.object({ execution_id: v.string() })

/** Reads one line, without its newline. */
export function parseBatchLine(line: string): BatchLine {
  const json = parseJson(line)
  if (v.is(wholeResponse, json) && !('done' in json) && !('stream' in json))
    return { kind: 'result', value: json }
  if (!isJsonObject(json)) return malformed(json, 'it is no JSON object')
  if ('done' in json) {
    const done = v.safeParse(doneLine, json)
    return done.success ? { kind: 'done', value: done.output } : malformed(json, sentence(done.issues[0]))
  }
  if ('stream' in json) {
    const live = v.safeParse(liveLine, json)
    return live.success ? { kind: 'live', value: live.output } : malformed(json, sentence(live.issues[0]))
  }
  const result = v.safeParse(executionResponse, json)
  return result.success
    ? { kind: 'result', value: result.output }
    : malformed(json, sentence(result.issues[0]))
}

function malformed(json: unknown, message: string): BatchLine {
  const whose = v.safeParse(identified, json)
  return { kind: 'malformed', executionId: whose.success ? whose.output.execution_id : null, message }
}

function sentence(issue: v.BaseIssue<unknown>): string {
  const where = v.getDotPath(issue)
  return where === null ? issue.message : `${where}: ${issue.message}`
}
