/** Floor 3: addresses of containers. Browser compatible. */
import { SandboxUsageError } from '../errors.ts'

/** One form for every way to write an address: scheme, host and port, no slash at the end. `host:port` means http. */
export function containerAddress(address: unknown): string {
  if (typeof address !== 'string' || address.trim() === '') throw unusable(address)
  const text = address.trim()
  const url = URL.parse(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (url === null || !/^https?:$/.test(url.protocol) || url.search || url.hash || url.username)
    throw unusable(address)
  return url.origin + url.pathname.replace(/\/+$/, '')
}

function unusable(address: unknown): SandboxUsageError {
  const shown = typeof address === 'string' ? JSON.stringify(address) : String(address)
  return new SandboxUsageError(
    'containerAddr',
    `Cannot use ${shown} as the address of a container: it must be like http://10.0.0.1:8080`,
  )
}
