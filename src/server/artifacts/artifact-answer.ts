/** How the artifact routes answer. */
import { PathError } from '../files/path-error.ts'

export interface ArtifactAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

/** What an artifact route gets when it is its turn. */
export interface ArtifactContext {
  readonly workspace: string
  /** The server stops. */
  readonly stop: AbortSignal
}

export function artifactFound(body: Readonly<Record<string, unknown>>): ArtifactAnswer {
  return { status: 200, body: { success: true, ...body } }
}

export function artifactError(
  status: number,
  error: string,
  more: Readonly<Record<string, unknown>> = {},
): ArtifactAnswer {
  return { status, body: { success: false, error, ...more } }
}

/** The answer for a path that cannot be used; anything else is thrown on. */
export function pathAnswer(thrown: unknown, path: string): ArtifactAnswer {
  if (!(thrown instanceof PathError)) throw thrown
  switch (thrown.problem) {
    case 'missing':
    case 'not-directory':
      return artifactError(404, `Not found: ${path}`)
    case 'outside':
    case 'denied':
      return artifactError(403, thrown.message)
    default:
      return artifactError(400, thrown.message)
  }
}
