/** What a module exports, by reading it: names, whether they are types, and whether they are documented. */
import { posix } from 'node:path'
import type { SourceFile } from './sources.ts'
import { lineAt, type Token, tokensOf, unquoted } from './tokens.ts'

export interface Export {
  /** As others import it; `default`, or `*` for everything of another module. */
  readonly name: string
  readonly kind: 'value' | 'type'
  readonly line: number
  /** Where it comes from, when it is declared elsewhere: a path, and its name there. */
  readonly from: { readonly path: string; readonly name: string } | undefined
  readonly isDocumented: boolean
}

const modifiers = new Set([
  'declare',
  'abstract',
  'async',
  'const',
  'let',
  'var',
  'function',
  'class',
  'enum',
])

/** The exports of a module, in the order in which they are written; of overloads, the first. */
export function exportsOf(file: SourceFile): Export[] {
  const tokens = tokensOf(file.text)
  const found = new Map<string, Export>()
  let depth = 0
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'sign' && /[{([]$/.test(token.text)) depth += 1
    if (token.kind === 'sign' && /^[})\]]$/.test(token.text)) depth -= 1
    if (depth > 0 || token.text !== 'export' || token.kind !== 'word') continue
    const code = tokens.slice(index + 1).filter(({ kind }) => kind !== 'comment')
    const line = lineAt(file.text, token.start)
    const isDocumented = isTsDoc(tokens[index - 1])
    for (const one of statement(file.path, code)) {
      if (!found.has(one.name)) found.set(one.name, { ...one, line, isDocumented })
    }
  }
  return [...found.values()]
}

type Named = Pick<Export, 'name' | 'kind' | 'from'>

function statement(path: string, code: readonly Token[]): Named[] {
  const isType = code[0]?.text === 'type'
  const [first, second] = isType ? [code[1], code[2]] : [code[0], code[1]]
  const kind = isType || first?.text === 'interface' ? 'type' : 'value'
  if (first?.text === '{') return list(path, code.slice(isType ? 2 : 1), kind)
  if (first?.text === '*') {
    const name = second?.text === 'as' ? (code[isType ? 3 : 2]?.text ?? '*') : '*'
    return [{ name, kind, from: { path: sourceOf(path, code), name: '*' } }]
  }
  if (first?.text === 'default') return [{ name: 'default', kind, from: undefined }]
  if (isType) return [{ name: first?.text ?? '', kind, from: undefined }]
  const rest = first?.text === 'interface' ? code.slice(1) : code
  const name = rest.find(({ text, kind }) => kind === 'word' && !modifiers.has(text))?.text ?? ''
  return [{ name, kind, from: undefined }]
}

/** `a, type B, c as d } from './e.ts'` */
function list(path: string, code: readonly Token[], kind: Export['kind']): Named[] {
  const end = code.findIndex(({ text }) => text === '}')
  const isElsewhere = code[end + 1]?.text === 'from'
  const source = isElsewhere ? sourceOf(path, code.slice(end)) : undefined
  const items: string[][] = [[]]
  for (const { text } of code.slice(0, end)) {
    if (text === ',') items.push([])
    else items.at(-1)?.push(text)
  }
  return items.flatMap((words) => {
    const isType = words.length > 1 && words[0] === 'type' && words[1] !== 'as'
    const names = isType ? words.slice(1) : words
    const [local, name] = [names[0], names.at(-1)]
    if (local === undefined || name === undefined) return []
    const from = source === undefined ? undefined : { path: source, name: local }
    return [{ name, kind: isType ? 'type' : kind, from }]
  })
}

function sourceOf(path: string, code: readonly Token[]): string {
  const source = code.find(({ kind }) => kind === 'string')
  return source === undefined ? '' : posix.join(posix.dirname(path), unquoted(source))
}

/** A comment on what follows it; what begins with its floor is about the file. */
function isTsDoc(token: Token | undefined): boolean {
  return token?.kind === 'comment' && /^\/\*\*(?!\s*\*?\s*Floor \d)/.test(token.text)
}

/** The name of each export, types as `type Name`, sorted. */
export function apiOf(file: SourceFile): string[] {
  return exportsOf(file)
    .map(({ name, kind }) => (kind === 'type' ? `type ${name}` : name))
    .sort()
}

/** One sentence for each export of `entries` that has no TSDoc comment where it is declared. */
export function undocumented(files: readonly SourceFile[], entries: readonly string[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const complaint = (path: string, name: string): string[] => {
    const file = byPath.get(path)
    const found = file === undefined ? undefined : exportsOf(file).find((one) => one.name === name)
    if (found === undefined) return [`${path} does not export ${name}`]
    if (found.from !== undefined) return complaint(found.from.path, found.from.name)
    return found.isDocumented ? [] : [`${path}:${found.line} exports ${name} without a TSDoc comment`]
  }
  const all = entries.flatMap((entry) => {
    const file = byPath.get(entry)
    return file === undefined ? [] : exportsOf(file).flatMap(({ name }) => complaint(entry, name))
  })
  return [...new Set(all)]
}

/** One sentence for each default export, and for each `export *`, which hides what is exported. */
export function unnamedExports(files: readonly SourceFile[]): string[] {
  return files.flatMap((file) =>
    exportsOf(file).flatMap(({ name, line }) =>
      name === 'default' || name === '*'
        ? [`${file.path}:${line} exports ${name === '*' ? 'everything of a module' : 'a default'}: name it`]
        : [],
    ),
  )
}
