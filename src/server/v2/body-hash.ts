/** Tells one call from another that came with the same id. */

/** Of what the call is to do; equal for equal JSON, whatever the order of its keys. */
export function bodyHash({ slot_id, tool, args, timeout }: Readonly<Record<string, unknown>>): Uint8Array {
  const text = JSON.stringify([slot_id, tool, args, timeout], sorted)
  return new Bun.CryptoHasher('sha256').update(text).digest()
}

function sorted(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
