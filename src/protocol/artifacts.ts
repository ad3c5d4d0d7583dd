/** Floor 0: `POST /artifacts/read`, `/artifacts/list` and `/artifacts/archive`. */
import * as v from 'valibot'
import { jsonObject } from './json-object.ts'

export type ArtifactEncoding = 'text' | 'base64'
export type ArchiveFormat = 'tar.gz' | 'tgz'

export interface ReadArtifactBody {
  readonly slot_id: string
  readonly path: string
  readonly encoding: ArtifactEncoding
  readonly max_bytes?: number
  readonly include_sha256?: boolean
}

export interface ListArtifactsBody {
  readonly slot_id: string
  readonly path: string
  readonly recursive: boolean
  readonly max_entries?: number
}

export interface ArchiveArtifactsBody {
  readonly slot_id: string
  readonly path: string
  readonly format: ArchiveFormat
  readonly max_bytes?: number
  readonly max_entries?: number
}

export interface ReadArtifactResponse {
  readonly success: boolean
  readonly error: string
  readonly content: string
  readonly encoding: string
  readonly truncated: boolean
  readonly bytes: number
  readonly file_size: number
  readonly path: string
  readonly mime: string | null
  readonly sha256: string | null
}

export interface ArtifactEntryBody {
  readonly path: string
  readonly is_dir: boolean
  readonly size: number
  /** Seconds since 1970. */
  readonly mtime: number
}

export interface ListArtifactsResponse {
  readonly success: boolean
  readonly error: string
  readonly entries: readonly ArtifactEntryBody[]
  readonly truncated: boolean
}

export interface ArchiveArtifactsResponse {
  readonly success: boolean
  readonly error: string
  readonly content: string
  readonly encoding: string
  readonly format: string
  readonly bytes: number
  readonly entry_count: number
}

const text = v.nullish(v.string(), '')
const flag = v.nullish(v.boolean(), false)
const count = v.nullish(v.number(), 0)

export const readArtifactResponse: v.GenericSchema<unknown, ReadArtifactResponse> = v.pipe(
  jsonObject,
  v.object({
    success: flag,
    error: text,
    content: text,
    encoding: v.nullish(v.string(), 'text'),
    truncated: flag,
    bytes: count,
    file_size: count,
    path: text,
    mime: v.nullish(v.string(), null),
    sha256: v.nullish(v.string(), null),
  }),
)

export const listArtifactsResponse: v.GenericSchema<unknown, ListArtifactsResponse> = v.pipe(
  jsonObject,
  v.object({
    success: flag,
    error: text,
    entries: v.nullish(v.array(v.object({ path: v.string(), is_dir: flag, size: count, mtime: count })), []),
    truncated: flag,
  }),
)

export const archiveArtifactsResponse: v.GenericSchema<unknown, ArchiveArtifactsResponse> = v.pipe(
  jsonObject,
  v.object({
    success: flag,
    error: text,
    content: text,
    encoding: v.nullish(v.string(), 'base64'),
    format: v.nullish(v.string(), 'tar.gz'),
    bytes: count,
    entry_count: count,
  }),
)
