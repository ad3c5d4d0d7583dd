/** What `startSandboxServer` takes. */
import { isIPv6 } from 'node:net'
import * as v from 'valibot'
import { SandboxUsageError } from '../errors.ts'
import { known } from '../usage.ts'
import type { LogEntry } from './operation/log.ts'

/** Bounds of what a tool call may use. */
export interface SandboxLimits {
  /** Size of `/tmp`, and of `/dev/shm`, in a sandbox, in bytes. Default 268,435,456 (256 MiB). */
  readonly tmpBytes?: number
  /** How many processes and threads a call may have at a time, from 16 to 4,194,304. Default 256. */
  readonly processes?: number
  /** Address space of each process of a call, in bytes, from 32 MiB to 1 PiB. Default 4,294,967,296 (4 GiB). */
  readonly memoryBytes?: number
  /** Size of each file that a call writes, in bytes, from 4 KiB to 1 PiB. Default 1,073,741,824 (1 GiB). */
  readonly fileBytes?: number
  /** How many files each process of a call may have open, from 16 to 1,048,576. Default 1,024. */
  readonly openFiles?: number
}

/** Options of `startSandboxServer`. */
export interface SandboxServerOptions {
  /** How many slots, from 1 to 4,096. Default 8. */
  readonly slots?: number
  /** The address to listen on. One that is not loopback needs a `token`. Default `"127.0.0.1"`. */
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
   * Whether a call that says `allow_network` gets the machine's network; it can then reach this server too, so this needs
   * a `token`. Default `false`: no sandbox has a network.
   */
  readonly network?: boolean
  /**
   * What every request must show, as `Authorization: Bearer …`: 16 to 512 visible ASCII characters. Without it
   * `GET /health` answers `{"status": "ok"}`, and nothing else answers. Default none: who reaches the port comes in.
   */
  readonly token?: string
  /**
   * Called with each entry of the server's log: start and stop, refused requests, sandboxes that failed, at level `debug`
   * every call. Never holds tokens, commands, outputs or environments. What it throws disturbs no call, and is reported as
   * uncaught. Default none.
   */
  readonly onLog?: (entry: LogEntry) => void
  /**
   * Web pages that may talk to this server, as in `http://127.0.0.1:3000`. Default none.
   * @internal
   */
  readonly allowedOrigins?: readonly string[]
}

/** Options of a server's `stop`. */
export interface StopOptions {
  /**
   * How long the calls that were accepted may go on, in milliseconds, at most a day (86,400,000). Until then new ones are
   * refused with 503 and `Retry-After`. Default 0: what runs is killed at once.
   */
  readonly drainTimeoutMs?: number
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
  readonly limits: Required<SandboxLimits>
  readonly network: boolean
  readonly token: string | undefined
  readonly allowedOrigins: readonly string[]
  readonly allowedHosts: readonly string[]
  readonly bwrapPath: string | undefined
  readonly onCall: ((event: CallEvent) => void) | undefined
  readonly onLog: ((entry: LogEntry) => void) | undefined
}

const MiB = 2 ** 20

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
  {
    tmpBytes: v.optional(integer(4_096, 2 ** 40), 256 * MiB),
    processes: v.optional(integer(16, 2 ** 22), 256),
    memoryBytes: v.optional(integer(32 * MiB, 2 ** 50), 4_096 * MiB),
    fileBytes: v.optional(integer(4_096, 2 ** 50), 1_024 * MiB),
    openFiles: v.optional(integer(16, 2 ** 20), 1_024),
  },
  'must be an object',
)

const tokenMessage = 'must be a text of 16 to 512 visible ASCII characters, without spaces'

const token = v.pipe(
  v.string(tokenMessage),
  // What a header can carry, and nobody guesses.
  v.check((text) => /^[\x21-\x7e]{16,512}$/.test(text), tokenMessage),
)

const publicEntries = {
  slots: v.optional(integer(1, 4_096), 8),
  host: v.optional(
    v.pipe(
      v.string('must be a string'),
      v.check((text) => isIPv6(text) || /^[\w.-]+$/.test(text), 'must be an address or a name, without port'),
    ),
    '127.0.0.1',
  ),
  port: v.optional(integer(0, 65_535), 0),
  dataDir: v.optional(path),
  isolation: v.optional(v.picklist(['bubblewrap', 'none'], 'must be "bubblewrap" or "none"'), 'bubblewrap'),
  limits: v.optional(limits, {}),
  network: v.optional(v.boolean('must be true or false'), false),
  token: v.optional(token),
  onLog: v.optional(
    v.custom<(entry: LogEntry) => void>((value) => typeof value === 'function', 'must be a function'),
  ),
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

const stopOptions = v.strictObject(
  { drainTimeoutMs: v.optional(integer(0, 86_400_000), 0) },
  'must be an object',
)

/** Checks the options of `stop` and fills the defaults in; throws a SandboxUsageError that names the field. */
export function stopSettings(options: unknown = {}): Required<StopOptions> {
  const parsed = v.safeParse(stopOptions, options)
  if (!parsed.success) throw usageError(parsed.issues[0], stopOptions, 'stop')
  return parsed.output
}

/** Checks what a user of `startSandboxServer` gave; throws a SandboxUsageError that names the field. */
export function checkServerOptions(options: unknown): void {
  checked(serverOptions, options)
}

/** Checks the options of `createSandbox` and fills the defaults in. */
export function sandboxSettings(options: unknown): SandboxSettings {
  const output = checked(sandboxOptions, options)
  const { dataDir, token, bwrapPath, onCall, onLog } = output
  return { ...output, dataDir, token, bwrapPath, onCall, onLog }
}

interface Doors {
  readonly host: string
  readonly network: boolean
  readonly token?: string | undefined
}

function checked<T extends Doors>(schema: v.GenericSchema<unknown, T>, options: unknown): T {
  const parsed = v.safeParse(schema, options)
  if (!parsed.success) throw usageError(parsed.issues[0], schema)
  const { host, network, token } = parsed.output
  if (token === undefined && !isLoopback(host)) {
    const message = `host ${show(host)} needs a token: without one only a loopback address is safe (127.0.0.1, ::1, localhost)`
    throw new SandboxUsageError('host', message)
  }
  if (token === undefined && network) {
    const message = 'network true needs a token: with a network, what runs in a sandbox can reach this server'
    throw new SandboxUsageError('network', message)
  }
  return parsed.output
}

function usageError(
  issue: v.BaseIssue<unknown>,
  schema: object,
  what = 'the sandbox server',
): SandboxUsageError {
  const field = v.getDotPath(issue) ?? 'options'
  if (issue.type === 'strict_object' && issue.expected === 'never') {
    return new SandboxUsageError(field, `${field} is not an option of ${what}${known(schema, issue)}`)
  }
  // A secret is not repeated, not even a wrong one.
  const got = field === 'token' ? '' : `; got ${show(issue.input)}`
  return new SandboxUsageError(field, `${field} ${issue.message}${got}`)
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
