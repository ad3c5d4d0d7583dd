/** `POST /artifacts/read`. */
import { relative } from 'node:path'
import { readFileHead } from '../files/read-file.ts'
import { type ArtifactAnswer, type ArtifactContext, artifactFound } from './artifact-answer.ts'

export interface ReadWanted {
  readonly path: string
  readonly encoding: 'text' | 'base64'
  readonly maxBytes: number
  readonly includeSha256: boolean
}

/** The head of a file; `bytes` and `sha256` are those of the head, `file_size` of the whole. */
export async function readArtifact(
  wanted: ReadWanted,
  { workspace }: ArtifactContext,
): Promise<ArtifactAnswer> {
  const { bytes, size, realPath } = await readFileHead(workspace, wanted.path, wanted.maxBytes)
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return artifactFound({
    content: wanted.encoding === 'text' ? decode(bytes) : buffer.toString('base64'),
    encoding: wanted.encoding,
    truncated: size > bytes.length,
    bytes: bytes.length,
    file_size: size,
    path: relative(workspace, realPath),
    mime: mimeOf(realPath),
    sha256: wanted.includeSha256 ? new Bun.CryptoHasher('sha256').update(bytes).digest('hex') : null,
  })
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
}

/** By the name's ending alone; `null` when that says nothing. */
function mimeOf(path: string): string | null {
  const type = Bun.file(path).type.replace(/;.*$/, '')
  return type === '' || (type === 'application/octet-stream' && !path.endsWith('.bin')) ? null : type
}
