/** Floor 0: addresses of servers. Browser compatible. */
import * as v from 'valibot'

/**
 * One form for every way to write an address: scheme, host and port, no slash at the end. `host:port` means http.
 * Undefined for what is no address.
 */
export function normalAddress(address: string): string | undefined {
  const text = address.trim()
  const url = URL.parse(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || !/^https?:$/.test(url.protocol)) return undefined
  if (url.search || url.hash || url.username || url.password) return undefined
  return url.origin + url.pathname.replace(/\/+$/, '')
}

/** An address in its one form, from a text. */
export const address = v.pipe(
  v.string('it must be a string'),
  v.rawTransform<string, string>(({ dataset, addIssue, NEVER }) => {
    const normal = normalAddress(dataset.value)
    if (normal !== undefined) return normal
    addIssue({ message: 'it must be an address like http://10.0.0.1:8080' })
    return NEVER
  }),
)
