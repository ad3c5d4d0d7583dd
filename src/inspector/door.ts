/** Floor 3: who may look: a browser on this machine, sent by no other page. */

/** Whether a host name or address can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** The refusal of a request, or `null` when it may come in. */
export function refusal(request: Request): Response | null {
  const host = request.headers.get('host') ?? ''
  const name = /^(?:\[([\da-f:]+)\]|([^:[\]]+))(?::\d{1,5})?$/i.exec(host)
  // A page of evil.example that made its own name point to 127.0.0.1 still sends its name (DNS rebinding).
  if (!isLoopback((name?.[1] ?? name?.[2] ?? '').toLowerCase())) return plain(403, 'Host not allowed')
  const origin = request.headers.get('origin')
  if (origin !== null && origin !== `http://${host}`) return plain(403, 'Origin not allowed')
  const site = request.headers.get('sec-fetch-site')
  if (site !== null && site !== 'same-origin' && site !== 'none') return plain(403, 'Site not allowed')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return plain(405, 'There is nothing to change here', { allow: 'GET, HEAD' })
  }
  return null
}

export function plain(status: number, sentence: string, headers: Record<string, string> = {}): Response {
  return answer(`${sentence}\n`, 'text/plain; charset=utf-8', { status, headers })
}

/** An answer that no cache keeps and no other page can use. */
export function answer(
  body: string | ReadableStream<Uint8Array>,
  type: string,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
): Response {
  return new Response(body, {
    status,
    headers: {
      'content-type': type,
      'cache-control': 'no-store',
      'cross-origin-resource-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      ...headers,
    },
  })
}
