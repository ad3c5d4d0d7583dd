/** Floor 3: artifact calls: what is sent, and what is made of the answer. Browser compatible. */
import * as v from 'valibot'
import type { Answered } from '../batching/settlement.ts'
import type {
  ArchiveArtifactsResponse,
  ArchiveFormat,
  ArtifactEncoding,
  ListArtifactsResponse,
  ReadArtifactResponse,
} from '../protocol/artifacts.ts'
import type { PostRoute } from '../protocol/routes.ts'
import { abortSignal, checked, count, milliseconds, text } from '../usage.ts'
import {
  type ArchiveArtifactsResult,
  artifactBytes,
  artifactOutcome,
  entryOf,
  type ListArtifactsResult,
  type ReadArtifactResult,
} from './artifact-results.ts'
import type { Raw } from './calls.ts'
import type { CallOptions } from './options.ts'

/** Options of `readArtifact`. */
export interface ReadArtifactOptions extends CallOptions {
  /** How `content` comes. Default `text`. */
  readonly encoding?: ArtifactEncoding
  /** Bytes to read at most. Default: the server's limit, 5,000,000. */
  readonly maxBytes?: number
  /** Ask for the SHA-256 of the bytes read, and check it here. Default false. */
  readonly includeSha256?: boolean
}

/** Options of `listArtifacts`. */
export interface ListArtifactsOptions extends CallOptions {
  /** Go into directories. Default false. */
  readonly recursive?: boolean
  /** Default: the server's limit, 5,000. */
  readonly maxEntries?: number
}

/** Options of `archiveArtifacts`. */
export interface ArchiveArtifactsOptions extends CallOptions {
  /** Default `tar.gz`. */
  readonly format?: ArchiveFormat
  /** Bytes of the archive at most. Default: the server's limit, 5,000,000. */
  readonly maxBytes?: number
  /** Default: the server's limit, 5,000. */
  readonly maxEntries?: number
}

const callEntries = { timeoutMs: v.optional(milliseconds), signal: v.optional(abortSignal) }
const readOptions = v.strictObject({
  ...callEntries,
  encoding: v.optional(v.picklist(['text', 'base64'], 'it must be "text" or "base64"'), 'text'),
  maxBytes: v.optional(count),
  includeSha256: v.optional(v.boolean('it must be true or false'), false),
})
const listOptions = v.strictObject({
  ...callEntries,
  recursive: v.optional(v.boolean('it must be true or false'), false),
  maxEntries: v.optional(count),
})
const archiveOptions = v.strictObject({
  ...callEntries,
  format: v.optional(v.picklist(['tar.gz', 'tgz'], 'it must be "tar.gz" or "tgz"'), 'tar.gz'),
  maxBytes: v.optional(count),
  maxEntries: v.optional(count),
})

/** Sends a body by a route, through the slot; resolves to how it ended. */
export type Send = (
  route: Exclude<PostRoute, '/batch' | '/execute'>,
  body: object,
  options: SendOptions,
) => Promise<Raw>

/** The checked call options. */
export interface SendOptions {
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export async function readArtifact(send: Send, path: unknown, given: unknown): Promise<ReadArtifactResult> {
  const options = checked(readOptions, given, 'readArtifact options')
  // A hash is of bytes: text is fetched as base64 then, so that what is checked is what was sent.
  const encoding = options.includeSha256 ? 'base64' : options.encoding
  const body = {
    path: checkedPath(path),
    encoding,
    ...(options.maxBytes === undefined ? {} : { max_bytes: options.maxBytes }),
    ...(options.includeSha256 ? { include_sha256: true } : {}),
  }
  const raw = await send('/artifacts/read', body, options)
  const read = readResult(raw, body.path, encoding)
  return Object.freeze(read.success && options.includeSha256 ? await verified(read, options.encoding) : read)
}

export async function listArtifacts(send: Send, path: unknown, given: unknown): Promise<ListArtifactsResult> {
  const options = checked(listOptions, given, 'listArtifacts options')
  const raw = await send(
    '/artifacts/list',
    { path: checkedPath(path), recursive: options.recursive, ...maxEntries(options) },
    options,
  )
  const value = answer<ListArtifactsResponse>(raw)
  return Object.freeze({
    ...artifactOutcome(raw.settlement, raw.attempts),
    entries: Object.freeze((value?.entries ?? []).map(entryOf)),
    truncated: value?.truncated ?? false,
  })
}

export async function archiveArtifacts(
  send: Send,
  path: unknown,
  given: unknown,
): Promise<ArchiveArtifactsResult> {
  const options = checked(archiveOptions, given, 'archiveArtifacts options')
  const raw = await send(
    '/artifacts/archive',
    {
      path: checkedPath(path),
      format: options.format,
      ...(options.maxBytes === undefined ? {} : { max_bytes: options.maxBytes }),
      ...maxEntries(options),
    },
    options,
  )
  const value = answer<ArchiveArtifactsResponse>(raw)
  return Object.freeze({
    ...artifactOutcome(raw.settlement, raw.attempts),
    content: value?.content ?? '',
    encoding: value?.encoding ?? 'base64',
    format: value?.format ?? options.format,
    bytes: value?.bytes ?? 0,
    entryCount: value?.entry_count ?? 0,
  })
}

function checkedPath(path: unknown): string {
  return checked(v.object({ path: text }), { path }, 'an artifact call').path
}

function maxEntries(options: { readonly maxEntries?: number | undefined }): { max_entries?: number } {
  return options.maxEntries === undefined ? {} : { max_entries: options.maxEntries }
}

/** The body of an answer; the transport has checked it against its route's schema. */
function answer<T>({ settlement }: Raw): T | undefined {
  return settlement.kind === 'answered' ? ((settlement satisfies Answered).value as T) : undefined
}

function readResult(raw: Raw, path: string, encoding: ArtifactEncoding): ReadArtifactResult {
  const value = answer<ReadArtifactResponse>(raw)
  return {
    ...artifactOutcome(raw.settlement, raw.attempts),
    content: value?.content ?? '',
    encoding: value?.encoding ?? encoding,
    truncated: value?.truncated ?? false,
    bytes: value?.bytes ?? 0,
    fileSize: value?.file_size ?? 0,
    path: value?.path || path,
    mime: value?.mime ?? null,
    sha256: value?.sha256 ?? null,
  }
}

/** Checks the hash over the bytes, and gives them in the encoding that was asked for. */
async function verified(read: ReadArtifactResult, encoding: ArtifactEncoding): Promise<ReadArtifactResult> {
  const bytes = decoded(read)
  const digest = bytes === undefined ? undefined : hex(await crypto.subtle.digest('SHA-256', bytes))
  if (bytes === undefined || digest !== read.sha256) {
    const message = `Cannot trust the content of ${read.path}: its SHA-256 is ${digest ?? 'not to be had, it is no base64'}, the server says ${read.sha256}`
    const failure = Object.freeze({ code: 'bad-response', message, attempts: 1 } as const)
    return { ...read, success: false, content: '', error: message, failure }
  }
  return encoding === 'base64' ? read : { ...read, encoding, content: new TextDecoder().decode(bytes) }
}

function decoded(read: ReadArtifactResult): Uint8Array<ArrayBuffer> | undefined {
  try {
    return artifactBytes(read)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

function hex(buffer: ArrayBuffer): string {
  return Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
