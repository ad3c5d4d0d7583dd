/** Why a path inside a workspace cannot be used. */

export type PathProblem =
  | 'missing'
  | 'outside'
  | 'not-file'
  | 'not-directory'
  | 'denied'
  | 'too-long'
  | 'other'

/** Thrown by everything in `files/`; `problem` is what callers decide on, the message is for people. */
export class PathError extends Error {
  override name = 'PathError'

  constructor(
    readonly problem: PathProblem,
    message: string,
  ) {
    super(message)
  }
}

const problems: Readonly<Record<string, PathProblem>> = {
  ENOENT: 'missing',
  // RESOLVE_BENEATH answers EXDEV, RESOLVE_NO_MAGICLINKS and symlink loops answer ELOOP.
  EXDEV: 'outside',
  ELOOP: 'outside',
  ENOTDIR: 'not-directory',
  EISDIR: 'not-file',
  // A socket, or a FIFO without a reader.
  ENXIO: 'not-file',
  EACCES: 'denied',
  EPERM: 'denied',
  ENAMETOOLONG: 'too-long',
}

/** The error for `code`, as in `ENOENT`, met at `path`. */
export function pathError(code: string, path: string): PathError {
  const problem = problems[code] ?? 'other'
  return new PathError(problem, pathSentence(problem, path, code))
}

/** Of a path that is far too long its start is enough. */
const MAX_SHOWN = 300

/** One sentence that a model or a person can act on. */
function pathSentence(problem: PathProblem, whole: string, code: string): string {
  const path = whole.length > MAX_SHOWN ? `${whole.slice(0, MAX_SHOWN)}…` : whole
  switch (problem) {
    case 'missing':
      return `File not found: ${path}`
    case 'outside':
      return 'Access denied: path outside workspace'
    case 'not-file':
      return `Not a file: ${path}`
    case 'not-directory':
      return `Not a directory: ${path}`
    case 'denied':
      return `Permission denied: ${path}`
    case 'too-long':
      return `File name too long: ${path}`
    case 'other':
      return `Cannot use ${path}: ${code}`
  }
}

/** The code of an error of node:fs, or an empty string. */
export function errorCode(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
}

/** Turns an error of node:fs into a {@link PathError} about `path`. */
export function fromFsError(thrown: unknown, path: string): PathError {
  if (thrown instanceof PathError) return thrown
  return pathError(errorCode(thrown) || String(thrown), path)
}
