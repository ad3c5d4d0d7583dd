/** Who may come in: nobody whom a web page sent, by whatever trick. */
import { isLoopback } from '../options.ts'
import { errorAnswer } from './answers.ts'

export interface DoorRules {
  readonly host: string
  readonly allowedHosts: readonly string[]
  readonly allowedOrigins: readonly string[]
}

/** The refusal of a request, or `null` when it may come in. */
export function refusal(request: Request, rules: DoorRules): Response | null {
  const host = request.headers.get('host') ?? new URL(request.url).host
  const name = hostName(host)
  // A page of evil.example that made its own name point to 127.0.0.1 still sends its name (DNS rebinding).
  if (name === null || !(isLoopback(name) || name === rules.host || rules.allowedHosts.includes(name))) {
    return errorAnswer(403, `Host not allowed: ${host}`)
  }
  const origin = request.headers.get('origin')
  if (origin !== null && origin !== `http://${host}` && !rules.allowedOrigins.includes(origin)) {
    return errorAnswer(403, `Origin not allowed: ${origin}`)
  }
  const type = request.headers.get('content-type')
  // Forms and text/plain can be posted by any page without asking first.
  if (request.method === 'POST' && type !== null && mediaType(type) !== 'application/json') {
    return errorAnswer(415, `Content type not allowed: ${type} (must be application/json)`)
  }
  return null
}

function hostName(host: string): string | null {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host)
  return (match?.[1] ?? match?.[2])?.toLowerCase() ?? null
}

function mediaType(contentType: string): string {
  return contentType.replace(/;.*$/s, '').trim().toLowerCase()
}

/** The answer to the question that a browser asks first, or `null` when this is not one. */
export function preflight(request: Request, { allowedOrigins }: DoorRules): Response | null {
  const origin = request.headers.get('origin')
  if (request.method !== 'OPTIONS' || origin === null || !allowedOrigins.includes(origin)) return null
  const headers = {
    'access-control-allow-methods': 'GET, POST',
    'access-control-allow-headers': 'content-type',
    'access-control-max-age': '600',
  }
  return new Response(null, { status: 204, headers })
}

/** Lets the page of a listed origin read the answer. */
export function withCors(request: Request, response: Response, { allowedOrigins }: DoorRules): Response {
  const origin = request.headers.get('origin')
  if (origin === null || !allowedOrigins.includes(origin)) return response
  response.headers.set('access-control-allow-origin', origin)
  response.headers.set('vary', 'Origin')
  return response
}
