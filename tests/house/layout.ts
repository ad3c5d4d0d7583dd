/** Sizes of files, and what lies at the top of the repository. */
import type { SourceFile } from './sources.ts'

const maxLines = 250

const topLevel = new Set([
  'package.json',
  'tsconfig.json',
  'mod.ts',
  'src',
  'tests',
  'bunfig.toml',
  'README.md',
  'bun.lock',
  'LICENSE',
  'jsr.json',
])

/** One sentence for each file that is too long to be read at once; generated ones are not read. */
export function tooLong(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0)
    return lines <= maxLines || path.endsWith('.generated.ts')
      ? []
      : [`${path} has ${lines} lines, more than ${maxLines}: take it apart`]
  })
}

/** What lies at the top and does not belong there. Dot-files may. */
export function strayAtTop(paths: readonly string[]): string[] {
  const names = new Set(paths.map((path) => path.split('/')[0] ?? ''))
  return [...names].filter((name) => !name.startsWith('.') && !topLevel.has(name))
}
