/** Answers as base servers give them. */
import type { RefusalCode } from '../../protocol/routes.ts'

export function json(body: unknown, status = 200): Response {
  return jsonText(JSON.stringify(body), status)
}

/** As {@link json}, of text that is JSON already. */
export function jsonText(text: string, status = 200): Response {
  return new Response(text, {
    status,
    headers: { 'content-type': 'application/json; charset=utf-8' },
  })
}

export function errorAnswer(
  status: number,
  error: string,
  more: Readonly<Record<string, unknown>> = {},
): Response {
  return json({ success: false, error, ...more }, status)
}

/** As the extended protocol refuses a whole request. */
export function refusal(status: number, code: RefusalCode, error: string): Response {
  return errorAnswer(status, error, { code })
}

/** As the extended protocol refuses a method. */
export function methodRefusal({ method }: Request, allow: string): Response {
  const answer = refusal(
    405,
    'method_not_allowed',
    `Method not allowed: ${method} (it must be one of ${allow})`,
  )
  answer.headers.set('allow', allow)
  return answer
}

export function plainText(
  text: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(text, { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers } })
}
