/** Floor 0: every route of the base protocol, and what an error body says. */
import * as v from 'valibot'

/** The routes that take a JSON body by POST. */
export type PostRoute =
  | '/execute'
  | '/batch'
  | '/reset'
  | '/artifacts/read'
  | '/artifacts/list'
  | '/artifacts/archive'

/** The routes that are read by GET. */
export type GetRoute = '/health' | '/slots'

/** Limits of a base server (protocol.md): what a client may send to a server that announces none. */
export const baseLimits = {
  requestBytes: 1_048_576,
  outputCharacters: 50_000,
  fileBytes: 100_000,
  artifactBytes: 5_000_000,
  artifactEntries: 5_000,
} as const

/** What base servers say, with status 500, to a body over {@link baseLimits}`.requestBytes`. Nothing of it ran. */
export const bodyTooLarge = 'Request Entity Too Large'

/** Body of an answer that is an error. */
export interface ErrorBody {
  readonly success: false
  readonly error: string
  /** A constant of the extended protocol. */
  readonly code?: string
}

const errorBody = v.object({ error: v.string(), code: v.optional(v.string()) })

/** The sentence in the body of an HTTP error: JSON with `error`, or plain text; cut at 300 characters. */
export function errorSentence(body: string): string {
  const parsed = v.safeParse(errorBody, parseJson(body))
  const sentence = parsed.success ? parsed.output.error : body
  return sentence.length > 300 ? `${sentence.slice(0, 300)}…` : sentence
}

/** `JSON.parse` that answers `undefined` for what is no JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
