/**
 * Takes each mechanism away in a copy of the tree, and runs the test that must notice. First that test must pass with the
 * mechanism in its place. The working tree is not touched.
 */
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { hasBubblewrap } from '../../server/support.ts'
import { openDirectory } from '../../support/temporary-directory.ts'
import { clientMutations } from './client.ts'
import { extendedMutations } from './extended.ts'
import { type Mutation, mutated } from './mutation.ts'
import { serverMutations } from './server.ts'

export const mutations: readonly Mutation[] = [...clientMutations, ...serverMutations, ...extendedMutations]

const root = resolve(import.meta.dir, '../../..')
const MAX_MS = 60_000

export interface Verdict {
  readonly mutation: Mutation
  /** `skipped`: what its test needs is not here. */
  readonly kind: 'noticed' | 'missed' | 'skipped' | 'red before'
  /** What was seen: the tests that failed, or why there is no verdict. */
  readonly told: string
}

/** The tree, in a directory of its own. */
class Copy implements Disposable {
  readonly #place = openDirectory(tmpdir(), 'mutations-')
  readonly #root = join(this.#place, 'tree')

  constructor() {
    const listed = Bun.spawnSync(['git', 'ls-files', '-co', '--exclude-standard'], { cwd: root })
    for (const path of listed.stdout.toString().split('\n').filter(Boolean)) {
      if (!existsSync(join(root, path))) continue
      mkdirSync(dirname(join(this.#root, path)), { recursive: true })
      cpSync(join(root, path), join(this.#root, path))
    }
    symlinkSync(join(root, 'node_modules'), join(this.#root, 'node_modules'))
    const shared = resolve(root, '../shared')
    if (existsSync(shared)) symlinkSync(shared, join(this.#place, 'shared'))
  }

  /** Why the tests fail; undefined when they pass. */
  async failure(tests: readonly string[]): Promise<string | undefined> {
    const place = openDirectory(this.#place, 'tmp-')
    const child = Bun.spawn([process.execPath, 'test', '--timeout', '30000', ...tests], {
      cwd: this.#root,
      env: { ...process.env, TMPDIR: place },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: MAX_MS,
      killSignal: 'SIGKILL',
    })
    const [, stderr] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    if (child.exitCode === 0) return undefined
    const failed = [...stderr.matchAll(/^\(fail\) (.*?)(?: \[.*)?$/gm)].map(([, name]) => name)
    if (failed.length > 0) return `${failed.length} failed, as ${failed[0]}`
    return child.signalCode === null ? `ended with ${child.exitCode}` : 'did not end'
  }

  async without(mutation: Mutation): Promise<string | undefined> {
    const path = join(this.#root, mutation.file)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, mutated(text, mutation))
    try {
      return await this.failure(mutation.tests)
    } finally {
      writeFileSync(path, text)
    }
  }

  [Symbol.dispose](): void {
    rmSync(this.#place, { recursive: true, force: true })
  }
}

function isHere({ needs }: Mutation): boolean {
  if (needs === undefined) return true
  return hasBubblewrap && (needs === 'bubblewrap' || process.getuid?.() === 0)
}

/** Tries those whose mechanism or file has `only` in it; `tell` is called with each verdict. */
export async function tryMutations(only: string, tell: (verdict: Verdict) => void): Promise<void> {
  using copy = new Copy()
  const green = new Map<string, string | undefined>()
  for (const mutation of mutations) {
    if (!`${mutation.mechanism} ${mutation.file}`.includes(only)) continue
    if (!isHere(mutation)) {
      tell({ mutation, kind: 'skipped', told: `needs ${mutation.needs}` })
      continue
    }
    const key = mutation.tests.join(' ')
    if (!green.has(key)) green.set(key, await copy.failure(mutation.tests))
    const before = green.get(key)
    if (before !== undefined) {
      tell({ mutation, kind: 'red before', told: before })
      continue
    }
    const failure = await copy.without(mutation)
    tell({ mutation, kind: failure === undefined ? 'missed' : 'noticed', told: failure ?? 'all passed' })
  }
}

export function mutationTable(verdicts: readonly Verdict[], isMarkdown: boolean): string {
  const rows = verdicts.map(({ mutation: { mechanism, file, tests }, kind, told }) => {
    return [
      mechanism,
      file.replace('src/', ''),
      tests.join(' ').replaceAll('tests/', ''),
      kind === 'noticed' ? 'yes' : kind,
      told,
    ]
  })
  const all = [['without', 'file', 'noticed by', '', ''], ...rows]
  if (!isMarkdown) {
    const widths = [0, 1, 2, 3].map((at) => Math.max(...all.map((row) => row[at]?.length ?? 0)))
    return all
      .map((row) =>
        row
          .map((text, at) => text.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .join('\n')
  }
  const line = (row: readonly string[]) => `| ${row.slice(0, 4).join(' | ')} |`
  return [line(all[0] ?? []), '|---|---|---|---|', ...rows.map(line)].join('\n')
}
