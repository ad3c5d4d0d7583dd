/** Floor 3: what artifact calls resolve to. Browser compatible. */
import type { Settlement } from '../batching/settlement.ts'
import type { ArtifactEntryBody } from '../protocol/artifacts.ts'
import type { Failure } from './results.ts'

/** What every artifact call's result says. It never rejects for a server's error. */
export interface ArtifactOutcome {
  readonly success: boolean
  /** HTTP's status; missing when no answer came. */
  readonly httpStatus?: number
  /** Why `success` is false. */
  readonly error?: string
  /** There when the infrastructure failed, not the request. */
  readonly failure?: Failure
}

/** The content of a file in a workspace. */
export interface ReadArtifactResult extends ArtifactOutcome {
  /** Text or base64, as `encoding` says. */
  readonly content: string
  readonly encoding: string
  /** The file is longer than what was read. */
  readonly truncated: boolean
  /** Bytes read. */
  readonly bytes: number
  /** Bytes of the whole file. */
  readonly fileSize: number
  readonly path: string
  readonly mime: string | null
  /** Of the bytes read, when it was asked for; checked here. */
  readonly sha256: string | null
}

/** A file or directory in a workspace. */
export interface ArtifactEntry {
  /** Relative to the workspace. */
  readonly path: string
  readonly isDir: boolean
  readonly size: number
  /** Seconds since 1970. */
  readonly mtime: number
}

/** The entries of a directory. */
export interface ListArtifactsResult extends ArtifactOutcome {
  readonly entries: readonly ArtifactEntry[]
  /** There are more. */
  readonly truncated: boolean
}

/** A directory as an archive. */
export interface ArchiveArtifactsResult extends ArtifactOutcome {
  /** Base64; `artifactBytes` decodes it. */
  readonly content: string
  readonly encoding: string
  readonly format: string
  readonly bytes: number
  readonly entryCount: number
}

/** The common part of a result. */
export function artifactOutcome(settlement: Settlement, attempts: number): ArtifactOutcome {
  if (settlement.kind === 'answered') {
    const { value, status } = settlement
    const success = status >= 200 && status < 300 && isObject(value) && value.success === true
    const error = isObject(value) && typeof value.error === 'string' ? value.error : ''
    return { success, httpStatus: status, ...(success ? {} : { error }) }
  }
  const { code, message, status } = settlement
  return {
    success: false,
    ...(status === undefined ? {} : { httpStatus: status }),
    error: message,
    failure: Object.freeze({ code, message, attempts }),
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

export function entryOf(entry: ArtifactEntryBody): ArtifactEntry {
  return Object.freeze({ path: entry.path, isDir: entry.is_dir, size: entry.size, mtime: entry.mtime })
}

/**
 * The bytes of what `readArtifact` or `archiveArtifacts` brought, whichever encoding it has.
 *
 * @throws {TypeError} when `content` is no base64 though `encoding` says so
 * @example
 * ```ts
 * import { artifactBytes, SandboxExecutor } from 'sandbox-slots'
 * await using executor = new SandboxExecutor()
 * const slot = executor.slot({ slotId: 'slot_0', containerAddr: CONTAINER })
 * await slot.writeFile('notes/a.txt', 'hello')
 * const archive = await executor.archiveArtifacts(slot, 'notes')
 * console.log(artifactBytes(archive).byteLength === archive.bytes) // true
 * ```
 */
export function artifactBytes(result: {
  readonly content: string
  readonly encoding: string
}): Uint8Array<ArrayBuffer> {
  return result.encoding === 'base64'
    ? decodeBase64(result.content)
    : new TextEncoder().encode(result.content)
}

function decodeBase64(content: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(content), (character) => character.charCodeAt(0))
  } catch (error) {
    throw new TypeError(`Cannot decode ${content.length} characters of content: they are no base64`, {
      cause: error,
    })
  }
}
