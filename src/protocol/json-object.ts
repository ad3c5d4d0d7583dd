/** Floor 0: what a JSON object is. */
import * as v from 'valibot'

/** Not an array, though `v.object` and `v.record` take one for an object. */
export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const jsonObject = v.custom<Readonly<Record<string, unknown>>>(isJsonObject, 'must be an object')
