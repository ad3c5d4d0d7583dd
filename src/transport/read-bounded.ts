/** Floor 2: the text of a body, as long as it stays within a budget. Browser compatible. */

/** The body as text, or `undefined`, without reading on, when it is larger than `maxBytes`. Rejects when it is cut. */
export async function readBounded(response: Response, maxBytes: number): Promise<string | undefined> {
  if (fitsAsAnnounced(response, maxBytes)) return response.text()
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  const parts: string[] = []
  let bytes = 0
  const reader = response.body.getReader()
  for (;;) {
    const chunk = await reader.read()
    if (chunk.done) return parts.join('') + decoder.decode()
    bytes += chunk.value.byteLength
    if (bytes > maxBytes) {
      await reader.cancel()
      return undefined
    }
    parts.push(decoder.decode(chunk.value, { stream: true }))
  }
}

/** The fast path: a plain body of known length. A compressed one may grow. */
function fitsAsAnnounced(response: Response, maxBytes: number): boolean {
  const length = response.headers.get('content-length')
  return length !== null && !response.headers.has('content-encoding') && Number(length) <= maxBytes
}
