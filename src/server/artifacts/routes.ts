/** The artifact routes: what comes in is checked, waits for its slot, and is answered. */
import * as v from 'valibot'
import { describeThrown } from '../../errors.ts'
import { jsonObject } from '../../protocol/json-object.ts'
import { baseLimits } from '../../protocol/routes.ts'
import type { ServerContext } from '../calls.ts'
import { check, flag, wellFormed, withoutNul } from '../tools/tool.ts'
import { archiveArtifacts } from './archive-artifacts.ts'
import { type ArtifactAnswer, type ArtifactContext, artifactError, pathAnswer } from './artifact-answer.ts'
import { listArtifacts } from './list-artifacts.ts'
import { readArtifact } from './read-artifact.ts'

/** Limits are lowered by a request, never raised. */
const limit = (max: number) => {
  const message = 'must be an integer above 0'
  return v.pipe(
    v.nullish(
      v.pipe(
        v.number(message),
        v.check((value) => Number.isInteger(value) && value > 0, message),
      ),
      max,
    ),
    v.transform((value) => Math.min(value, max)),
  )
}

const maxBytes = limit(baseLimits.artifactBytes)
const maxEntries = limit(baseLimits.artifactEntries)
const where = { slot_id: v.optional(wellFormed, '') }

const readBody = v.object({
  ...where,
  path: v.optional(withoutNul, ''),
  encoding: v.optional(wellFormed, 'text'),
  max_bytes: maxBytes,
  include_sha256: flag(false),
})
const listBody = v.object({
  ...where,
  path: v.optional(withoutNul, '.'),
  recursive: flag(false),
  max_entries: maxEntries,
})
const archiveBody = v.object({
  ...where,
  path: v.optional(withoutNul, '.'),
  format: v.optional(wellFormed, 'tar.gz'),
  max_bytes: maxBytes,
  max_entries: maxEntries,
})

export type ArtifactRoute = (context: ServerContext, body: unknown) => Promise<ArtifactAnswer>

export const readRoute = artifactRoute(readBody, (body, context) => {
  const { path, encoding, max_bytes, include_sha256 } = body
  if (encoding !== 'text' && encoding !== 'base64') return refused(`Unsupported encoding: ${encoding}`)
  return readArtifact({ path, encoding, maxBytes: max_bytes, includeSha256: include_sha256 }, context)
})

export const listRoute = artifactRoute(listBody, ({ path, recursive, max_entries }, context) =>
  listArtifacts({ path, recursive, maxEntries: max_entries }, context),
)

export const archiveRoute = artifactRoute(archiveBody, (body, context) => {
  const { path, format, max_bytes, max_entries } = body
  if (format !== 'tar.gz' && format !== 'tgz') return refused(`Unsupported archive format: ${format}`)
  return archiveArtifacts({ path, maxBytes: max_bytes, maxEntries: max_entries }, context)
})

async function refused(error: string): Promise<ArtifactAnswer> {
  return artifactError(400, error)
}

function artifactRoute<T extends { readonly slot_id: string; readonly path: string }>(
  schema: v.GenericSchema<unknown, T>,
  run: (body: T, context: ArtifactContext) => Promise<ArtifactAnswer>,
): ArtifactRoute {
  return async (context, input) => {
    const object = check(jsonObject, input)
    if (!object.ok) return artifactError(400, 'The request body must be an object')
    const body = check(schema, object.value)
    if (!body.ok) return artifactError(400, body.error)
    const slot = context.slots.get(body.value.slot_id)
    if (slot === undefined) return artifactError(404, `Unknown slot: ${body.value.slot_id}`)
    // In line with the slot's calls: a tree is not packed while a command changes it.
    return slot.lock
      .run(async () => {
        if (context.stop.aborted) return artifactError(503, 'The server stops')
        try {
          return await run(body.value, { workspace: slot.workspace, stop: context.stop })
        } catch (thrown) {
          return pathAnswer(thrown, body.value.path)
        }
      })
      .catch((thrown: unknown) => artifactError(500, `The server failed: ${describeThrown(thrown)}`))
  }
}
