/** The exchanges recorded from a real base server; they lie beside the project. */
import { existsSync, readFileSync } from 'node:fs'
import * as v from 'valibot'

const file = new URL('../../../shared/vectors/sandbox-server.json', import.meta.url)

const exchange = v.object({
  name: v.string(),
  request: v.object({
    method: v.picklist(['GET', 'POST']),
    path: v.string(),
    body: v.optional(v.unknown()),
    raw_body: v.optional(v.string()),
    elided: v.optional(v.string()),
  }),
  response: v.object({
    status: v.number(),
    content_type: v.string(),
    json: v.optional(v.unknown()),
    text: v.optional(v.string()),
    elided: v.optional(v.string()),
  }),
  note: v.optional(v.string()),
})

export type Exchange = v.InferOutput<typeof exchange>

export const hasVectors = existsSync(file)

/** All exchanges in the order of recording; none where ../shared is missing. */
export const vectors: readonly Exchange[] = hasVectors
  ? v.parse(v.array(exchange), JSON.parse(readFileSync(file, 'utf8')))
  : []

/** The recorded answer as a `Response`. */
export function recordedResponse({ response }: Exchange): Response {
  const body = response.json === undefined ? (response.text ?? '') : JSON.stringify(response.json)
  return new Response(body, { status: response.status, headers: { 'content-type': response.content_type } })
}
