/** Floor 1: where containers come from. */

/** A container that may be used. */
export interface DiscoveredContainer {
  /** Its address, as in `http://10.0.0.1:8080`: scheme, host and port, no slash at the end. */
  readonly addr: string
  /** Nomad's id of it. A new id at the same address is another container. */
  readonly allocId?: string
  /** Its place among those of its cluster, from 0: when there shall be fewer, the highest ends first. */
  readonly index?: number
  /** It is about to end: what it runs may finish, nothing new is handed out there. */
  readonly draining?: boolean
}

/** What went wrong. Every `SandboxError` is one. */
export interface DiscoveryTrouble {
  /** A sentence that names action and reason. */
  readonly message: string
  /** True when only the moment is wrong: the same again, later, is expected to work. */
  readonly temporary?: boolean
}

/** Who is told. Nothing is told after the signal fired. */
export interface DiscoveryListeners {
  /** The whole list, in no special order, each address at most once. The first one may be empty. */
  onChange(containers: readonly DiscoveredContainer[]): void
  /** A look failed and will be made again. The last list stays true as far as anybody knows. */
  onTrouble(trouble: DiscoveryTrouble): void
}

/** Changes how many containers there should be. */
export interface DiscoveryScaling {
  /** How many containers are wanted now. Rejects with a {@link DiscoveryTrouble}, or with the signal's reason. */
  current(signal: AbortSignal): Promise<number>
  /**
   * Wants `count` containers from now on; resolves when that is accepted, not when they run. Rejects with a
   * {@link DiscoveryTrouble} (`temporary` when it is worth trying again later), or with the signal's reason.
   */
  scaleTo(count: number, signal: AbortSignal): Promise<void>
}

/** Finds containers. */
export interface Discovery {
  /**
   * Tells `onChange` the whole list, at once and whenever it changes, until `signal` fires; resolves then. Never
   * rejects: trouble is told to `onTrouble`, and after a pause it looks again.
   */
  watch(listeners: DiscoveryListeners, signal: AbortSignal): Promise<void>
  /** Missing where the number of containers cannot be changed. */
  readonly scaling?: DiscoveryScaling
}
