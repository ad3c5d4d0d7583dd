/** UTF-8 in pieces: characters are never cut. */

/** As text; invalid UTF-8 becomes U+FFFD. */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}

const isContinuation = (byte: number | undefined) => byte !== undefined && (byte & 0xc0) === 0x80

/** Where the text ends that does not stop inside a character. */
export function endOfWhole(bytes: Uint8Array): number {
  let at = bytes.length - 1
  for (let back = 0; back < 3 && isContinuation(bytes[at]); back++) at -= 1
  const first = bytes[at] ?? 0
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
  return at + length > bytes.length ? at : bytes.length
}

/** Where the first character begins that is not cut. */
export function startOfWhole(bytes: Uint8Array): number {
  let at = 0
  while (at < 3 && isContinuation(bytes[at])) at += 1
  return at
}
