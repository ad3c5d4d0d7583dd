/** Floor 3: addresses of containers. Browser compatible. */
import { SandboxUsageError } from '../errors.ts'
import { normalAddress } from '../protocol/address.ts'

/** The address in its one form. @throws {SandboxUsageError} for what is none */
export function containerAddress(address: unknown): string {
  const normal = typeof address === 'string' ? normalAddress(address) : undefined
  if (normal !== undefined) return normal
  // Not with a password that is in it.
  const shown =
    typeof address === 'string' ? JSON.stringify(address.replace(/\/\/.*@/s, '//…@')) : String(address)
  throw new SandboxUsageError(
    'containerAddr',
    `Cannot use ${shown} as the address of a container: it must be like http://10.0.0.1:8080, without user, query or fragment`,
  )
}
