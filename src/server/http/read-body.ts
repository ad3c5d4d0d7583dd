/** Reads a request's JSON body, of bounded size, whatever its headers say. */

/** `bytes` is how many came, as far as they were counted. */
export type Body =
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'invalid' }
  | { readonly kind: 'too-large'; readonly bytes: number }

/** Of a body that is too large so much is read. */
const GIVE_UP_BYTES = 64 * 1024 * 1024

/** Keeps at most `maxBytes`. A larger body is read on for a while, so that the client gets to read the answer. */
export async function readJsonBody(request: Request, maxBytes: number): Promise<Body> {
  const parts: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const part of request.body ?? []) {
      bytes += part.length
      if (bytes > GIVE_UP_BYTES) break
      if (bytes > maxBytes) parts.length = 0
      else parts.push(part)
    }
    if (bytes > maxBytes) return { kind: 'too-large', bytes }
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(parts))
    return { kind: 'json', value: JSON.parse(text) }
  } catch {
    // No UTF-8, no JSON, or a client that went away in the middle of its body.
    return { kind: 'invalid' }
  }
}
