/** Floor 0: every route, and what an error body says. */
import * as v from 'valibot'

/** The routes of the base protocol that take a JSON body by POST. */
export type PostRoute =
  | '/execute'
  | '/batch'
  | '/reset'
  | '/artifacts/read'
  | '/artifacts/list'
  | '/artifacts/archive'

/** The routes that are read by GET. */
export type GetRoute = '/health' | '/slots'

/** What our server tells its operator, by GET, in the text format of Prometheus. */
export const metricsRoute = '/metrics'

/** The routes of the extended protocol that take a JSON body by POST. */
export type ExtendedRoute = '/v2/batch' | '/cancel'

/** Names the ledger that a `POST /v2/batch` is meant for, as `GET /health` announced it. */
export const ledgerHeader = 'if-ledger'

/** The workspace, as a command in a sandbox sees it. */
export const workspaceInside = '/workspace'

/**
 * Where a file of a slot's workspace is read and written raw (`GET`, `PUT`). `path` is relative to the workspace, or as a
 * command sees it; `undefined` for one with `..` in it, since URLs resolve that themselves, and could lead to another route.
 */
export function filesRoute(slotId: string, whole: string): string | undefined {
  const inside = `${workspaceInside}/`
  const path = whole.startsWith(inside) ? whole.slice(inside.length) : whole
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (path.startsWith('/') || parts.length === 0 || parts.includes('..')) return undefined
  return `/files/${[slotId, ...parts].map(encodeURIComponent).join('/')}`
}

/**
 * Why the extended protocol refuses a whole request; nothing of it ran. `ledger_mismatch` (412): this server has another
 * ledger. `ledger_required` (400): the header is missing. `too_large` (413): the body is over the limit. `not_found`
 * (404): no such slot or file. `path_refused` (400, 403): the path leads outside, or to no file. `unauthorized` (401),
 * `host_refused`, `origin_refused` (403), `type_refused` (415): as the door says on every route.
 */
export type RefusalCode =
  | 'ledger_mismatch'
  | 'ledger_required'
  | 'too_large'
  | 'invalid_request'
  | 'not_found'
  | 'path_refused'
  | 'method_not_allowed'
  | 'unauthorized'
  | 'host_refused'
  | 'origin_refused'
  | 'type_refused'
  | 'server_failed'

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

/** What our server says, with status 503, code `server_stopping` and `Retry-After`, while it stops. Nothing of it ran. */
export const serverStopping = 'The server stops'

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
