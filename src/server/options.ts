/** What `startSandboxServer` takes. */
import * as v from 'valibot'
import { SandboxUsageError } from '../errors.ts'

/** Bounds of what a tool call may use. */
export interface SandboxLimits {
  /** Size of `/tmp`, and of `/dev/shm`, in a sandbox, in bytes. Default 268,435,456 (256 MiB). */
  readonly tmpBytes?: number
}

/** Options of `startSandboxServer`. */
export interface SandboxServerOptions {
  /** How many slots, from 1 to 4,096. Default 8. */
  readonly slots?: number
  /** The address to listen on; only a loopback address for now. Default `"127.0.0.1"`. */
  readonly host?: string
  /** The TCP port; 0, the default, takes any free one. */
  readonly port?: number
  /**
   * Where the workspaces are and stay, as `dataDir/slot_N`; made when it is missing. Without it a temporary directory
   * is made, and removed by `stop()`.
   */
  readonly dataDir?: string
  /**
   * `"bubblewrap"`, the default: each `bash` call in a sandbox of its own, without network, that sees nothing of the
   * machine but its system directories and the slot's workspace. `"none"`: as a plain process of this user.
   */
  readonly isolation?: 'bubblewrap' | 'none'
  readonly limits?: SandboxLimits
  /**
   * Web pages that may talk to this server, as in `http://127.0.0.1:3000`. Default none.
   * @internal
   */
  readonly allowedOrigins?: readonly string[]
}

/** With what tests of the server need. */
export interface SandboxOptions extends SandboxServerOptions {
  /** Further names that a Host header may have; loopback names always may. */
  readonly allowedHosts?: readonly string[]
  /** The bubblewrap to use. */
  readonly bwrapPath?: string
  /** Told when a call has got its slot, and when it has ended. */
  readonly onCall?: (event: CallEvent) => void
}

export interface CallEvent {
  readonly type: 'started' | 'finished'
  readonly slotId: string
  readonly executionId: string | null
}

/** Options with their defaults. */
export interface SandboxSettings {
  readonly slots: number
  readonly host: string
  readonly port: number
  readonly dataDir: string | undefined
  readonly isolation: 'bubblewrap' | 'none'
  readonly limits: { readonly tmpBytes: number }
  readonly allowedOrigins: readonly string[]
  readonly allowedHosts: readonly string[]
  readonly bwrapPath: string | undefined
  readonly onCall: ((event: CallEvent) => void) | undefined
}

const integer = (min: number, max: number) =>
  v.pipe(
    v.number(`must be an integer from ${min} to ${max}`),
    v.check(
      (value) => Number.isInteger(value) && value >= min && value <= max,
      `must be an integer from ${min} to ${max}`,
    ),
  )

const path = v.pipe(
  v.string('must be a string'),
  v.check((text) => text !== '' && !text.includes('\0'), 'must be a path, not empty and without NUL'),
)

const limits = v.strictObject(
  { tmpBytes: v.optional(integer(4_096, 2 ** 40), 268_435_456) },
  'must be an object',
)

const publicEntries = {
  slots: v.optional(integer(1, 4_096), 8),
  host: v.optional(
    v.pipe(
      v.string('must be a string'),
      v.check(
        isLoopback,
        'must be a loopback address (127.0.0.1, ::1, localhost): without a token only those are safe, and tokens come later',
      ),
    ),
    '127.0.0.1',
  ),
  port: v.optional(integer(0, 65_535), 0),
  dataDir: v.optional(path),
  isolation: v.optional(v.picklist(['bubblewrap', 'none'], 'must be "bubblewrap" or "none"'), 'bubblewrap'),
  limits: v.optional(limits, {}),
  allowedOrigins: v.optional(v.array(v.string('must be a string'), 'must be an array'), []),
}

const internalEntries = {
  allowedHosts: v.optional(v.array(v.string('must be a string'), 'must be an array'), []),
  bwrapPath: v.optional(path),
  onCall: v.optional(
    v.custom<(event: CallEvent) => void>((value) => typeof value === 'function', 'must be a function'),
  ),
}

const serverOptions = v.strictObject(publicEntries, 'must be an object')
const sandboxOptions = v.strictObject({ ...publicEntries, ...internalEntries }, 'must be an object')

/** Checks what a user of `startSandboxServer` gave; throws a SandboxUsageError that names the field. */
export function checkServerOptions(options: unknown): void {
  const parsed = v.safeParse(serverOptions, options)
  if (!parsed.success) throw usageError(parsed.issues[0])
}

/** Checks the options of `createSandbox` and fills the defaults in. */
export function sandboxSettings(options: unknown): SandboxSettings {
  const parsed = v.safeParse(sandboxOptions, options)
  if (!parsed.success) throw usageError(parsed.issues[0])
  const { dataDir, bwrapPath, onCall } = parsed.output
  return { ...parsed.output, dataDir, bwrapPath, onCall }
}

function usageError(issue: v.BaseIssue<unknown>): SandboxUsageError {
  const field = v.getDotPath(issue) ?? 'options'
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return new SandboxUsageError(field, `${field} is not an option of the sandbox server`)
  }
  return new SandboxUsageError(field, `${field} ${issue.message}; got ${show(issue.input)}`)
}

function show(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value))
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

/** Whether a host name or address can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '::1' || /^127(\.(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])){3}$/.test(host)
  )
}
