/** `POST /artifacts/list`. */
import { relative } from 'node:path'
import type { ArtifactEntryBody } from '../../protocol/artifacts.ts'
import { openBeneath } from '../files/open-beneath.ts'
import { pathError } from '../files/path-error.ts'
import { statOf } from '../files/read-file.ts'
import { type ArtifactAnswer, type ArtifactContext, artifactFound } from './artifact-answer.ts'
import { type TreeEntry, walkTree } from './walk-tree.ts'

export interface ListWanted {
  readonly path: string
  readonly recursive: boolean
  readonly maxEntries: number
}

/** What a directory holds, or the file itself. */
export async function listArtifacts(
  wanted: ListWanted,
  { workspace }: ArtifactContext,
): Promise<ArtifactAnswer> {
  const top = await openTop(workspace, wanted.path)
  if (!top.isDirectory) return artifactFound({ entries: [entryBody(top)], truncated: false })
  const entries: ArtifactEntryBody[] = []
  for await (const entry of walkTree(workspace, top.path, wanted.recursive)) {
    if (entries.length === wanted.maxEntries) return artifactFound({ entries, truncated: true })
    entries.push(entryBody(entry))
  }
  return artifactFound({ entries, truncated: false })
}

/** Where a listing or an archive begins, symlinks resolved. */
export async function openTop(workspace: string, path: string): Promise<TreeEntry> {
  using opened = openBeneath(workspace, path, 'look')
  const stats = await statOf(opened.fd)
  if (!stats.isFile() && !stats.isDirectory()) throw pathError('EISDIR', path)
  return { path: relative(workspace, opened.realPath), isDirectory: stats.isDirectory(), stats }
}

function entryBody({ path, isDirectory, stats }: TreeEntry): ArtifactEntryBody {
  return { path, is_dir: isDirectory, size: stats.size, mtime: stats.mtimeMs / 1000 }
}
