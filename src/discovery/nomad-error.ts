/** Floor 2: what Nomad could not do. Browser compatible. */
import { SandboxError } from '../errors.ts'
import type { DiscoveryTrouble } from '../ports/discovery.ts'

/**
 * Nomad refused something or could not be asked. Its message names what was asked, of whom, and Nomad's own words.
 *
 * @example
 * ```ts
 * // not run: needs Nomad
 * try {
 *   await discovery.scaling.scaleTo(3, AbortSignal.timeout(10_000))
 * } catch (error) {
 *   if (!(error instanceof NomadError && error.temporary)) throw error
 * }
 * ```
 */
export class NomadError extends SandboxError implements DiscoveryTrouble {
  override name = 'NomadError'

  constructor(
    message: string,
    /** True when the same again, later, is expected to work. */
    readonly temporary: boolean,
    /** The HTTP status, if there was one. */
    readonly status?: number,
    options?: ErrorOptions,
  ) {
    super('server', message, options)
  }
}
