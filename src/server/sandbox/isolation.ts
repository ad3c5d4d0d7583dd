/** How commands are kept apart, decided once at start. Nothing that a tool prints can change it. */
import { lstat, mkdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describeThrown, SandboxError } from '../../errors.ts'
import type { SystemDirectory } from './bwrap-args.ts'
import { runCommand } from './run-command.ts'

export type Isolation =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'bubblewrap'
      readonly bwrapPath: string
      readonly systemDirectories: readonly SystemDirectory[]
      readonly etcDir: string
      readonly tmpBytes: number
    }

export interface IsolationWanted {
  readonly kind: 'bubblewrap' | 'none'
  /** For the server's own files; no sandbox sees it. */
  readonly privateDir: string
  readonly tmpBytes: number
  /** Undefined: found on the PATH. */
  readonly bwrapPath: string | undefined
}

const etcContent = {
  passwd: 'root:x:0:0:root:/:/bin/sh\nsandbox:x:1000:1000:sandbox:/workspace:/bin/bash\n',
  group: 'root:x:0:\nsandbox:x:1000:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
}

const PROBE_TIMEOUT_MS = 20_000

/** Sets bubblewrap up and runs one sandbox to see that it works; throws a SandboxError `isolation` if not. */
export async function prepareIsolation(wanted: IsolationWanted): Promise<Isolation> {
  if (wanted.kind === 'none') return { kind: 'none' }
  const bwrapPath = wanted.bwrapPath ?? Bun.which('bwrap')
  if (bwrapPath === null) throw isolationError('the program bwrap was not found')

  const etcDir = join(wanted.privateDir, 'etc')
  await mkdir(etcDir, { recursive: true })
  for (const [name, content] of Object.entries(etcContent)) await writeFile(join(etcDir, name), content)
  const isolation: Isolation = {
    kind: 'bubblewrap',
    bwrapPath,
    systemDirectories: await findSystemDirectories(),
    etcDir,
    tmpBytes: wanted.tmpBytes,
  }
  await probe(isolation, wanted.privateDir)
  return isolation
}

async function probe(isolation: Isolation, privateDir: string): Promise<void> {
  const workspace = join(privateDir, 'probe')
  await mkdir(workspace, { recursive: true })
  const { end } = await runCommand({
    command: 'true',
    isolation,
    workspace,
    privateDir,
    timeoutMs: PROBE_TIMEOUT_MS,
    outputCharacters: 1_000,
    stop: new AbortController().signal,
  }).catch((thrown: unknown) => ({ end: { kind: 'not-started', reason: describeThrown(thrown) } as const }))
  if (end.kind === 'exited' && end.exitCode === 0) return
  if (end.kind === 'exited') throw isolationError(`a first command ended with exit code ${end.exitCode}`)
  if (end.kind === 'not-started') throw isolationError(end.reason)
  throw isolationError(`a first command had not ended after ${PROBE_TIMEOUT_MS} ms`)
}

function isolationError(reason: string): SandboxError {
  return new SandboxError(
    'isolation',
    `bubblewrap does not work here (${reason}): install it with \`apt-get install bubblewrap\`, ` +
      'or say `isolation: "none"` to run tool calls without a sandbox.',
  )
}

/** Merged-/usr systems have symlinks here, others directories; not every system has them all. */
async function findSystemDirectories(): Promise<SystemDirectory[]> {
  const found: SystemDirectory[] = []
  for (const path of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const stats = await lstat(path).catch(() => null)
    if (stats?.isSymbolicLink()) found.push({ path, linkTarget: await readlink(path) })
    else if (stats?.isDirectory()) found.push({ path, linkTarget: null })
  }
  return found
}
