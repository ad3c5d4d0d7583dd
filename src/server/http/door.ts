/** Who may come in: who shows the token, and nobody whom a web page sent, by whatever trick. */
import { isLoopback } from '../options.ts'
import { json, refusal } from './answers.ts'
import { tokenCheck } from './token.ts'

export interface DoorRules {
  readonly host: string
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
  readonly token: string | undefined
}

/** The door's own answer to a request: a refusal, mostly. `null`: it may come in. */
export type Door = (request: Request) => Response | null

export function createDoor(rules: DoorRules): Door {
  const isTokenShown = tokenCheck(rules.token)
  return (request) =>
    hostRefusal(request, rules) ??
    originRefusal(request, rules) ??
    preflight(request, rules) ??
    (isTokenShown(request.headers.get('authorization')) ? typeRefusal(request) : strangerAnswer(request))
}

function hostRefusal(request: Request, rules: DoorRules): Response | null {
  const host = hostOf(request)
  const name = hostName(host)
  if (name !== null && isHostAllowed(name, rules)) return null
  return refusal(403, 'host_refused', `Host not allowed: ${host}`)
}

function isHostAllowed(name: string, rules: DoorRules): boolean {
  // Elsewhere a server has names that it does not know, and always a token, which is what keeps strangers out.
  if (!isLoopback(rules.host)) return true
  // A page of evil.example that made its own name point to 127.0.0.1 still sends its name (DNS rebinding).
  return isLoopback(name) || rules.allowedHosts.includes(name)
}

function originRefusal(request: Request, rules: DoorRules): Response | null {
  const origin = request.headers.get('origin')
  if (origin === null || origin === `http://${hostOf(request)}` || rules.allowedOrigins.includes(origin)) {
    return null
  }
  return refusal(403, 'origin_refused', `Origin not allowed: ${origin}`)
}

/** The answer to the question that a browser asks first, without token, or `null` when this is not one. */
function preflight(request: Request, { allowedOrigins }: DoorRules): Response | null {
  const origin = request.headers.get('origin')
  if (request.method !== 'OPTIONS' || origin === null || !allowedOrigins.includes(origin)) return null
  const headers = {
    'access-control-allow-methods': 'GET, POST, PUT',
    'access-control-allow-headers': 'authorization, content-type, if-ledger, if-range, range',
    'access-control-max-age': '600',
  }
  return new Response(null, { status: 204, headers })
}

/** What is told without the token: whether the server is there. */
function strangerAnswer(request: Request): Response {
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (isRead && new URL(request.url).pathname === '/health') return json({ status: 'ok' })
  const error = 'The token of this server is needed: Authorization: Bearer …'
  const refused = refusal(401, 'unauthorized', error)
  refused.headers.set('www-authenticate', 'Bearer')
  return refused
}

function typeRefusal(request: Request): Response | null {
  const type = request.headers.get('content-type')
  // Forms and text/plain can be posted by any page without asking first.
  if (request.method !== 'POST' || type === null || mediaType(type) === 'application/json') return null
  return refusal(415, 'type_refused', `Content type not allowed: ${type} (must be application/json)`)
}

function hostOf(request: Request): string {
  return request.headers.get('host') ?? new URL(request.url).host
}

function hostName(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host)
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null
}

function mediaType(contentType: string): string {
  return contentType.replace(/;.*$/s, '').trim().toLowerCase()
}

/** Lets the page of a listed origin read the answer. */
export function withCors(request: Request, response: Response, { allowedOrigins }: DoorRules): Response {
  const origin = request.headers.get('origin')
  if (origin === null || !allowedOrigins.includes(origin)) return response
  response.headers.set('access-control-allow-origin', origin)
  response.headers.set('access-control-expose-headers', 'content-range, etag, retry-after, x-file-size')
  response.headers.set('vary', 'Origin')
  return response
}
