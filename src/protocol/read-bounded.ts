/** Floor 0: the text of a body, as long as it stays within a budget. */

/** The body as text, or `undefined`, without reading on, when it is larger than `maxBytes`. Rejects when it is cut. */
export async function readBounded(response: Response, maxBytes: number): Promise<string | undefined> {
  const announced = announcedBytes(response)
  if (announced !== undefined && announced <= maxBytes) return response.text()
  if (response.body === null) return ''
  if (announced !== undefined) {
    await response.body.cancel()
    return undefined
  }
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

/** The size of a plain body; a compressed one may grow, so its length says nothing. */
function announcedBytes({ headers }: Response): number | undefined {
  const length = headers.get('content-length')
  return length === null || headers.has('content-encoding') ? undefined : Number(length)
}
