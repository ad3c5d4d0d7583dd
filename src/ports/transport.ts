/** Floor 1: how bytes get to a container and back. */
import type { GenericSchema } from 'valibot'

/** One HTTP exchange to make. */
export interface TransportRequest<T> {
  readonly method: 'GET' | 'POST'
  /** The container's address and a route of the protocol. */
  readonly url: string
  /** JSON text. */
  readonly body?: string
  /** What a body with status 200 must satisfy. */
  readonly schema: GenericSchema<unknown, T>
  /** Ends the exchange, wherever it is. */
  readonly signal: AbortSignal
  /** Bytes of the answer's body that are read at most. */
  readonly maxBytes: number
}

/** What came of an exchange. */
export type Exchange<T> =
  /** Status 200, and a body that satisfies the schema. */
  | { readonly kind: 'ok'; readonly status: number; readonly value: T }
  /** Another status. `body` is the JSON value in it, if there is one. */
  | {
      readonly kind: 'http-error'
      readonly status: number
      readonly message: string
      readonly body: unknown
      readonly retryAfterMs?: number
    }
  /** Status 200, and a body that is cut, no JSON, or not of the schema. */
  | {
      readonly kind: 'bad-response'
      readonly status: number
      readonly message: string
      readonly isCut?: true
    }
  /** The answer is over `maxBytes`. */
  | { readonly kind: 'too-large'; readonly status: number; readonly message: string }
  /** The connection was never made: nothing was sent. */
  | { readonly kind: 'not-sent'; readonly message: string }
  /** The connection broke before a status came: the request may have been handled. */
  | { readonly kind: 'broken'; readonly message: string }
  /** The signal ended it. */
  | { readonly kind: 'aborted' }

/** An exchange whose answer is read as it comes. */
export interface StreamRequest {
  readonly method: 'GET' | 'POST' | 'PUT'
  /** The container's address and a route of the protocol. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: StreamBody
  /** Ends the exchange, wherever it is: the answer's body too. */
  readonly signal: AbortSignal
}

/** What is sent. A stream is read as fast as it can be sent, and once. */
export type StreamBody = string | Uint8Array<ArrayBuffer> | Blob | ReadableStream<Uint8Array<ArrayBuffer>>

/** What came of it, as far as the answer's head. */
export type Streamed =
  /** A status of success. The body fails when it is cut, and must be read or cancelled. */
  | {
      readonly kind: 'ok'
      readonly status: number
      readonly headers: Headers
      readonly body: ReadableStream<Uint8Array<ArrayBuffer>>
    }
  | Extract<Exchange<never>, { kind: 'http-error' | 'not-sent' | 'broken' | 'aborted' }>

/** Carries exchanges. Never rejects: whatever happens is an {@link Exchange}. */
export interface Transport {
  exchange<T>(request: TransportRequest<T>): Promise<Exchange<T>>
  /** What the extended protocol needs; a transport without it speaks the base protocol to every container. */
  stream?(request: StreamRequest): Promise<Streamed>
}
