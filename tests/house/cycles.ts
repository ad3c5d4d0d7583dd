/** No import cycle. Type imports count: two files that need each other's types are one file. */
import { importsOf, type SourceFile } from './sources.ts'

/** Each cycle once, as `a → b → a`. */
export function importCycles(files: readonly SourceFile[]): string[] {
  const targets = new Map(
    files.map((file) => [file.path, importsOf(file).flatMap(({ target }) => target ?? [])]),
  )
  const done = new Set<string>()
  const way: string[] = []
  const cycles: string[] = []
  const visit = (path: string): void => {
    const start = way.indexOf(path)
    if (start >= 0) cycles.push([...way.slice(start), path].join(' → '))
    if (start >= 0 || done.has(path)) return
    way.push(path)
    for (const target of targets.get(path) ?? []) visit(target)
    way.pop()
    done.add(path)
  }
  for (const { path } of files) visit(path)
  return cycles
}
