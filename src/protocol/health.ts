/** Floor 0: `GET /health` and `GET /slots`. */
import * as v from 'valibot'
import { isJsonObject } from './json-object.ts'

/** What a server can do beyond the base protocol; announced in `features`. */
export type Feature =
  | 'ndjson'
  | 'idempotency'
  | 'cancel'
  | 'detach'
  | 'live-output'
  | 'bash-io'
  | 'auth'
  | 'files'

/** What a container says of itself. Known fields by name, in milliseconds and bytes; all others under `raw`. */
export interface ContainerStatus {
  /** `"ok"` when the server takes calls. */
  readonly status?: string
  readonly slots?: number
  readonly available?: number
  readonly executing?: number
  readonly dataDir?: string
  readonly bwrapAvailable?: boolean
  readonly statefulDir?: string
  /** 2 for a server that speaks the extended protocol; missing on a base server. */
  readonly protocol?: number
  readonly ledger?: string
  readonly features?: readonly string[]
  readonly maxBodyBytes?: number
  readonly maxTimeoutMs?: number
  /** How long the server remembers a finished call, at least; missing on a base server, which remembers none. */
  readonly ledgerRetentionMs?: number
  /** How long calls run on when their client has hung up. */
  readonly detachGraceMs?: number
  /** Fields that are not known here, or not of the type that they should have. */
  readonly raw: Readonly<Record<string, unknown>>
}

/** One slot in the answer to `GET /slots`. */
export interface SlotStatusBody {
  readonly slot_id: string
  readonly state: 'available' | 'executing'
  readonly workspace_dir: string
  readonly current_execution_id: string | null
}

const optionally = <T>(schema: v.GenericSchema<unknown, T>) => v.fallback(v.optional(schema), undefined)

const knownFields = v.object({
  status: optionally(v.string()),
  slots: optionally(v.number()),
  available: optionally(v.number()),
  executing: optionally(v.number()),
  data_dir: optionally(v.string()),
  bwrap_available: optionally(v.boolean()),
  stateful_dir: optionally(v.string()),
  protocol: optionally(v.number()),
  ledger: optionally(v.string()),
  features: optionally(v.array(v.string())),
  max_body_bytes: optionally(v.number()),
  max_timeout: optionally(v.number()),
  ledger_retention: optionally(v.number()),
  detach_grace: optionally(v.number()),
})

/** The status in the body of `GET /health`, or `null` when it is no JSON object. */
export function parseContainerStatus(body: unknown): ContainerStatus | null {
  if (!isJsonObject(body)) return null
  const known = v.parse(knownFields, body)
  const raw = Object.fromEntries(
    Object.entries(body).filter(([key]) => !(key in known) || known[key as keyof typeof known] === undefined),
  )
  return {
    ...withoutUndefined({
      status: known.status,
      slots: known.slots,
      available: known.available,
      executing: known.executing,
      dataDir: known.data_dir,
      bwrapAvailable: known.bwrap_available,
      statefulDir: known.stateful_dir,
      protocol: known.protocol,
      ledger: known.ledger,
      features: known.features,
      maxBodyBytes: known.max_body_bytes,
      maxTimeoutMs: inMs(known.max_timeout),
      ledgerRetentionMs: inMs(known.ledger_retention),
      detachGraceMs: inMs(known.detach_grace),
    }),
    raw,
  }
}

/** Answer to `GET /slots`. */
export const slotsResponse: v.GenericSchema<unknown, { readonly slots: readonly SlotStatusBody[] }> =
  v.object({
    slots: v.array(
      v.object({
        slot_id: v.string(),
        state: v.picklist(['available', 'executing']),
        workspace_dir: v.nullish(v.string(), ''),
        current_execution_id: v.nullish(v.string(), null),
      }),
    ),
  })

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * 1000
}

type WithoutUndefined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function withoutUndefined<T extends object>(fields: T): WithoutUndefined<T> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as WithoutUndefined<T>
}
