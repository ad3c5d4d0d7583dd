/** The files that the rules of the house look at. */
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { codeOf, lineAt, unquoted } from './tokens.ts'

export const root = join(import.meta.dir, '../..')

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string
  readonly text: string
}

/** `mod.ts` and everything in `src`. */
export function sourceFiles(): SourceFile[] {
  const paths = ['mod.ts', ...new Bun.Glob('src/**/*.ts').scanSync(root)]
  return paths.sort().map(fileAt)
}

export function fileAt(path: string): SourceFile {
  return { path, text: readFileSync(join(root, path), 'utf8') }
}

export interface Import {
  /** As it is written. */
  readonly specifier: string
  /** The file that a relative specifier leads to; undefined for a package. */
  readonly target: string | undefined
  readonly line: number
}

/** Everything that a file imports or exports from elsewhere, types and `import()` too. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const code = codeOf(text)
  return code.flatMap((token, index) => {
    if (token.kind !== 'string') return []
    const [before, last] = [code[index - 2]?.text ?? '', code[index - 1]?.text]
    const isFrom = last === 'from' && /^[}*\w$]+$/.test(before)
    const isImport = last === 'import' || (last === '(' && before === 'import')
    if (!isFrom && !isImport) return []
    const specifier = unquoted(token)
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : undefined
    return [{ specifier, target, line: lineAt(text, token.start) }]
  })
}

/** The name of a package in a specifier, without a path in it: `@a/b` of `@a/b/c`. */
export function packageOf(specifier: string): string {
  return /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier
}
