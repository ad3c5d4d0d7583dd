/** Placeholder until the filter is written. */
export function seccompFilter(_arch: string): Uint8Array | null {
  return null
}
