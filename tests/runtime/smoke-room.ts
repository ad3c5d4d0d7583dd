/** What every check of the suite has at hand. Web standards only. */
import type * as Core from '../../mod.ts'

/** The core, however this runtime got it. */
export type Api = Pick<
  typeof Core,
  'SandboxExecutor' | 'SandboxUsageError' | 'toToolResult' | 'artifactBytes'
>

export interface SmokeSettings {
  /** The sandbox server. */
  readonly addr: string
  /** The first of 64 slots that are the suite's own. */
  readonly firstSlot: number
  /** An address where nobody listens. */
  readonly closedAddr: string
  /** Browsers send no stream over HTTP/1.1. */
  readonly sendsStreams: boolean
  /** What a post to nobody is in this runtime: a browser and workerd tell only that something failed. */
  readonly lostPost: 'not-run' | 'unknown'
}

/** Checks by name; a check rejects when it fails. They run side by side, each in slots of its own. */
export type Checks = Readonly<Record<string, (room: Room) => Promise<void>>>

export class Room {
  constructor(
    readonly api: Api,
    readonly settings: SmokeSettings,
  ) {}

  /** Opens an executor for one check. */
  async use(
    options: Core.SandboxExecutorOptions,
    check: (executor: Core.SandboxExecutor) => Promise<void>,
  ): Promise<void> {
    const executor = new this.api.SandboxExecutor(options)
    try {
      await check(executor)
    } finally {
      await executor.close()
    }
  }

  slot(executor: Core.SandboxExecutor, index: number): Core.Slot {
    return executor.slot({
      slotId: `slot_${this.settings.firstSlot + index}`,
      containerAddr: this.settings.addr,
    })
  }
}

export async function sha256(data: string | BufferSource): Promise<string> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
  const digest = await crypto.subtle.digest('SHA-256', bytes)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function equal(seen: unknown, expected: unknown, what: string): void {
  const [left, right] = [JSON.stringify(seen), JSON.stringify(expected)]
  check(left === right, `${what}: ${left} instead of ${right}`)
}

export function check(isRight: boolean, message: string): void {
  if (!isRight) throw new Error(message)
}
