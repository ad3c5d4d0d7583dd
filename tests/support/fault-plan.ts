/** What a fault proxy does to the bytes that pass it. */

/** The two ways of the bytes, seen from the client. */
export type Direction = 'request' | 'response'

/**
 * Where a fault begins: after `at` bytes of the message have passed, so that the target (the client, for a response)
 * has exactly those. 0, the default, is before the first byte, when it has come: a response fault at 0 strikes after the
 * target saw the whole request. `'end'` of a request is after its last byte. Offsets of a connection's faults count over
 * all its messages.
 */
type Place =
  | { readonly in: 'request'; readonly at?: number | 'end' }
  | { readonly in: 'response'; readonly at?: number }

/** The connection ends: `reset` by RST, `close` by FIN; or, `stall`, nothing is said any more. Both sides see it. */
export type EndingFault = {
  readonly kind: 'reset' | 'close' | 'stall'
} & (Place | { readonly in: 'connect' })

/** The bytes arrive, but otherwise than they were sent. */
export type BendingFault = Place &
  (
    | { readonly kind: 'delay'; readonly ms: number }
    /** Byte by byte, for `bytes` bytes (all that come), with pauses of `everyMs` (only a turn of the event loop). */
    | { readonly kind: 'drip'; readonly bytes?: number; readonly everyMs?: number }
    /** These bytes in place of as many; without them, `#` in place of all that come. */
    | { readonly kind: 'garble'; readonly with?: string | Uint8Array }
    /** That many bytes are lost, and nobody is told. */
    | { readonly kind: 'truncate'; readonly bytes: number }
    /** That many bytes come twice. */
    | { readonly kind: 'duplicate'; readonly bytes: number }
  )

export type Fault = { readonly kind: 'none' } | EndingFault | BendingFault
export type Faults = Fault | readonly Fault[] | undefined

/** A request as the proxy saw it. */
export interface ProxiedRequest {
  /** Among all requests of the proxy, from 0. */
  readonly index: number
  /** The index of its connection. */
  readonly connection: number
  /** Among the requests of its connection, from 0: above 0 the connection is a reused one. */
  readonly nth: number
  readonly method: string
  readonly path: string
  /** Bytes that were passed on to the target. */
  readonly requestBytes: number
  /** Bytes that were passed on to the client. */
  readonly responseBytes: number
  /** The target was given the whole request. */
  readonly reached: boolean
}

/** A connection as the proxy saw it. */
export interface ProxiedConnection {
  readonly index: number
  readonly requestBytes: number
  readonly responseBytes: number
  /** HTTP POSTs on it that reached the target whole. */
  readonly posts: number
  /** The faults that have struck, in order. */
  readonly struck: readonly Fault[]
}

/**
 * Which faults strike: by the index of the connection (a function), by the index of the request (a list), or both ways.
 */
export type FaultPlan =
  | ((connection: number) => Faults)
  | readonly Faults[]
  | {
      readonly connection?: (connection: { readonly index: number }) => Faults
      readonly request?: (request: ProxiedRequest) => Faults
    }

/** The faults of a plan for a connection that was made. */
export function connectionFaults(plan: FaultPlan, index: number): readonly Fault[] {
  if (typeof plan === 'function') return listed(plan(index))
  return 'connection' in plan ? listed(plan.connection?.({ index })) : []
}

/** The faults of a plan for a request whose head has come. */
export function requestFaults(plan: FaultPlan, request: ProxiedRequest): readonly Fault[] {
  if (typeof plan === 'function') return []
  if ('request' in plan) return listed(plan.request?.(request))
  return isList(plan) ? listed(plan[request.index]) : []
}

function listed(faults: Faults): readonly Fault[] {
  const list = faults === undefined ? [] : isList(faults) ? faults : [faults]
  return list.filter(({ kind }) => kind !== 'none')
}

function isList<T>(value: object | readonly T[]): value is readonly T[] {
  return Array.isArray(value)
}
