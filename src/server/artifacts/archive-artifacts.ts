/** `POST /artifacts/archive`: the regular files of a tree as tar.gz, never more of them in memory than may be sent. */
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { pack as createPack, type Pack } from 'tar-stream'
import { openBeneath } from '../files/open-beneath.ts'
import { PathError } from '../files/path-error.ts'
import { readInto, statOf } from '../files/read-file.ts'
import { type ArtifactAnswer, type ArtifactContext, artifactError, artifactFound } from './artifact-answer.ts'
import { openTop } from './list-artifacts.ts'
import { type TreeEntry, walkTree } from './walk-tree.ts'

export interface ArchiveWanted {
  readonly path: string
  readonly maxBytes: number
  readonly maxEntries: number
}

/** A file of holes can be larger than any disk: this much is packed to tell a size, and no more. */
const MAX_SOURCE_BYTES = 2 * 1024 ** 3
const CHUNK_BYTES = 256 * 1024

/** Ends an archive before its time. */
class ArchiveRefused extends Error {
  constructor(readonly answer: ArtifactAnswer) {
    super('archive refused')
  }
}

/** Symlinks that stay inside are archived as what they lead to; others are left out, as in listings. */
export async function archiveArtifacts(
  wanted: ArchiveWanted,
  context: ArtifactContext,
): Promise<ArtifactAnswer> {
  const top = await openTop(context.workspace, wanted.path)
  const pack = createPack()
  const packed = new BoundedBytes(wanted.maxBytes)
  const sent = pipeline(pack, createGzip(), (source: AsyncIterable<Uint8Array>) => packed.fill(source))
  try {
    const [, entryCount] = await Promise.all([sent, packTree(pack, top, wanted, context)])
    return packedAnswer(packed, entryCount)
  } catch (thrown) {
    pack.destroy()
    await sent.catch(() => {})
    if (thrown instanceof ArchiveRefused) return thrown.answer
    throw thrown
  }
}

function packedAnswer(packed: BoundedBytes, entryCount: number): ArtifactAnswer {
  const { content, bytes, max } = packed
  if (content === null) {
    return artifactError(413, `Archive too large: ${bytes} bytes (max ${max})`, { bytes })
  }
  const base64 = Buffer.concat(content).toString('base64')
  return artifactFound({
    content: base64,
    encoding: 'base64',
    format: 'tar.gz',
    bytes,
    entry_count: entryCount,
  })
}

/** Counts all that comes, and keeps it as long as it is not too much. */
class BoundedBytes {
  #content: Uint8Array[] | null = []
  #bytes = 0

  constructor(readonly max: number) {}

  async fill(source: AsyncIterable<Uint8Array>): Promise<void> {
    for await (const chunk of source) {
      this.#bytes += chunk.length
      if (this.#bytes > this.max) this.#content = null
      this.#content?.push(chunk)
    }
  }

  get content(): readonly Uint8Array[] | null {
    return this.#content
  }

  get bytes(): number {
    return this.#bytes
  }
}

/** Answers how many files there were. */
async function packTree(
  pack: Pack,
  top: TreeEntry,
  { maxEntries }: ArchiveWanted,
  { workspace, stop }: ArtifactContext,
): Promise<number> {
  let count = 0
  let sourceBytes = 0
  for await (const entry of top.isDirectory ? walkTree(workspace, top.path, true) : [top]) {
    if (entry.isDirectory) continue
    count += 1
    if (count > maxEntries) {
      throw new ArchiveRefused(
        artifactError(413, `Too many entries: more than ${maxEntries} (max ${maxEntries})`),
      )
    }
    sourceBytes += entry.stats.size
    if (sourceBytes > MAX_SOURCE_BYTES) {
      const error = `Archive too large: more than ${MAX_SOURCE_BYTES} bytes before compression`
      throw new ArchiveRefused(artifactError(413, error, { bytes: sourceBytes }))
    }
    if (!(await packFile(pack, workspace, entry.path, stop))) count -= 1
  }
  pack.finalize()
  return count
}

/** Whether the file was still there. */
async function packFile(pack: Pack, workspace: string, path: string, stop: AbortSignal): Promise<boolean> {
  const opened = openIfThere(workspace, path)
  if (opened === null) return false
  using file = opened
  const stats = await statOf(file.fd)
  if (!stats.isFile()) return false
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const header = {
    name: path,
    size: stats.size,
    mode: stats.mode & 0o777,
    mtime: stats.mtime,
    uid: 0,
    gid: 0,
  }
  const sink = pack.entry(header, (error) => (error ? reject(error) : resolve()))
  promise.catch(() => {})
  for (let at = 0; at < stats.size; at += CHUNK_BYTES) {
    if (stop.aborted) throw new ArchiveRefused(artifactError(503, 'The server stops'))
    // The header has promised a size: a file that got shorter is filled up with zeros.
    const chunk = new Uint8Array(Math.min(CHUNK_BYTES, stats.size - at))
    await readInto(file.fd, chunk, at)
    if (!sink.write(chunk)) await Promise.race([once(sink, 'drain'), promise])
  }
  sink.end(undefined)
  await promise
  return true
}

function openIfThere(workspace: string, path: string) {
  try {
    return openBeneath(workspace, path, 'read')
  } catch (thrown) {
    if (thrown instanceof PathError) return null
    throw thrown
  }
}
