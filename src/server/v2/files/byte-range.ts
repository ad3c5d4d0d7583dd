/** The header `Range`, of one range; what it does not understand it leaves out, as it may. Pure. */

export type Wanted =
  | { readonly kind: 'whole' }
  /** Bytes `from` to `to`, both included. */
  | { readonly kind: 'part'; readonly from: number; readonly to: number }
  /** Nothing of the file is in the range. */
  | { readonly kind: 'none' }

export function wantedRange(header: string | null, size: number): Wanted {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? '')
  const [, first = '', last = ''] = match ?? []
  if (first === '' && last === '') return { kind: 'whole' }
  if (first === '')
    return Number(last) === 0 || size === 0 ? none : part(Math.max(0, size - Number(last)), size - 1)
  if (last !== '' && Number(last) < Number(first)) return { kind: 'whole' }
  if (Number(first) >= size) return none
  return part(Number(first), last === '' ? size - 1 : Math.min(Number(last), size - 1))
}

const none: Wanted = { kind: 'none' }

function part(from: number, to: number): Wanted {
  return { kind: 'part', from, to }
}
