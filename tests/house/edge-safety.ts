/** The core runs in browsers and workers: no runtime's own modules or globals under the front door. */
import { importsOf, packageOf, type SourceFile } from './sources.ts'
import { codeOf, lineAt, type Token, unquoted } from './tokens.ts'

const entries = ['mod.ts', 'src/actors/mod.ts']
const packages = new Set(['xstate', 'ky', 'valibot', '@noble/hashes'])
const foreignGlobals = new Set([
  'Bun',
  'Deno',
  'process',
  'Buffer',
  'require',
  'global',
  'setImmediate',
  '__dirname',
  '__filename',
])

/** What may be asked of `globalThis` by name, where it is optional. */
const optionalGlobals = new Set(['setImmediate', 'process'])

/** One sentence for each thing that the core has only in some runtimes. */
export function edgeSafety(files: readonly SourceFile[]): string[] {
  return reachable(files).flatMap((file) => [...badImports(file), ...badGlobals(file)])
}

/** The files that the entries need. */
export function reachable(files: readonly SourceFile[]): SourceFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = new Set<SourceFile>()
  const visit = (path: string): void => {
    const file = byPath.get(path)
    if (file === undefined || reached.has(file)) return
    reached.add(file)
    for (const { target } of importsOf(file)) if (target !== undefined) visit(target)
  }
  for (const entry of entries) visit(entry)
  return [...reached]
}

function badImports(file: SourceFile): string[] {
  return importsOf(file).flatMap(({ specifier, target, line }) =>
    target !== undefined || packages.has(packageOf(specifier))
      ? []
      : [
          `${file.path}:${line} imports '${specifier}': the core imports xstate, ky, valibot and @noble/hashes only`,
        ],
  )
}

function badGlobals({ path, text }: SourceFile): string[] {
  const code = codeOf(text)
  return code.flatMap((token, index) => {
    const name = foreignName(code, index)
    return name === undefined
      ? []
      : [`${path}:${lineAt(text, token.start)} uses ${name}: not every runtime has it`]
  })
}

function foreignName(code: readonly Token[], index: number): string | undefined {
  const token = code[index]
  const [before, last] = [code[index - 2]?.text, code[index - 1]?.text]
  if (token?.kind === 'string') {
    const isAsked = before === 'globalThis' && (last === ',' || last === '[')
    return isAsked && !optionalGlobals.has(unquoted(token)) ? `globalThis ${token.text}` : undefined
  }
  if (token?.kind !== 'word' || !foreignGlobals.has(token.text)) return undefined
  const isProperty = last === '.' && before !== 'globalThis'
  const isKey = code[index + 1]?.text === ':' && (last === '{' || last === ',' || last === 'readonly')
  return isProperty || isKey ? undefined : token.text
}
