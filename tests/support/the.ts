/** The value, which must be there: for tests. */
export function the<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('Expected a value, got none')
  return value
}
