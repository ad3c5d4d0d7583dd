/** How commands are kept apart. */
import type { SystemDirectory } from './bwrap-args.ts'
import type { ProcessLimits } from './inside.ts'

export interface SandboxBounds extends ProcessLimits {
  /** Size of `/tmp`, and of `/dev/shm`. */
  readonly tmpBytes: number
}

export interface Bubblewrap {
  readonly kind: 'bubblewrap'
  /** Marks the processes of this run of the server, so that the next one knows them if it is killed. */
  readonly run: string
  readonly bwrapPath: string
  readonly systemDirectories: readonly SystemDirectory[]
  readonly etcDir: string
  /** The filter of system calls, or `null` where the processor is not known. */
  readonly seccompFile: string | null
  readonly limits: SandboxBounds
  /** The data directory when the slots' users cannot reach it by its path. */
  readonly hiddenDataDir: string | null
  /** Whether the sandboxes that wait are inner ones, which a slot's holder makes; else bubblewrap makes each. */
  readonly hasHolders: boolean
}

export type Isolation = { readonly kind: 'none'; readonly run: string } | Bubblewrap
