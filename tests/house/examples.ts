/** The examples in comments and in Markdown, and what they promise to print. */
import type { SourceFile } from './sources.ts'
import { lineAt, tokensOf } from './tokens.ts'

export interface Example {
  /** `path:line` of its first line. */
  readonly name: string
  readonly code: string
  /** Why it is not run, when that is said. */
  readonly notRun?: string
}

const fence = /^```ts\n([\s\S]*?)^```$/gm

/** The `@example` blocks of a file that import this package. */
export function examplesInComments({ path, text }: SourceFile): Example[] {
  return tokensOf(text).flatMap((token) => {
    if (token.kind !== 'comment' || !token.text.includes('@example')) return []
    const bare = token.text.replace(/^[ \t]*\* ?/gm, '')
    const first = lineAt(text, token.start)
    return blocksOf(path, bare, first).filter(({ code }) => importsPackage(code))
  })
}

/** The `ts` blocks of a Markdown file; `<!-- not run: reason -->` stands in the line before one that cannot run. */
export function examplesInMarkdown({ path, text }: SourceFile): Example[] {
  return blocksOf(path, text, 1)
}

function blocksOf(path: string, text: string, firstLine: number): Example[] {
  return [...text.matchAll(fence)].map((match) => {
    const name = `${path}:${firstLine + lineAt(text, match.index)}`
    const notRun = /<!-- not run: (.+?) -->\n$/.exec(text.slice(0, match.index))?.[1]
    return { name, code: match[1] ?? '', ...(notRun === undefined ? {} : { notRun }) }
  })
}

function importsPackage(code: string): boolean {
  return /from 'sandbox-slots(\/\w+)?'/.test(code)
}

/** A `console.log` of an example: what the comment behind it says, if there is one. */
export interface Printing {
  readonly line: number
  readonly expected: string | undefined
}

export interface PreparedExample {
  readonly code: string
  readonly printings: readonly Printing[]
}

/** Where the package's paths lead to, and the address that stands for `CONTAINER`. */
export interface ExampleSetting {
  readonly modules: Readonly<Record<string, string>>
  readonly container: string
}

/** The example as a module that runs here: its n-th `console.log(` is `printAt(n)(`. */
export function prepared({ code }: Example, { modules, container }: ExampleSetting): PreparedExample {
  const tokens = tokensOf(code)
  const printings: Printing[] = []
  const parts: string[] = []
  let at = 0
  const replace = (start: number, end: number, text: string) => {
    parts.push(code.slice(at, start), text)
    at = end
  }
  for (const [index, token] of tokens.entries()) {
    const end = token.start + token.text.length
    if (token.kind === 'string' && tokens[index - 1]?.text === 'from') {
      const target = modules[token.text.slice(1, -1)]
      if (target !== undefined) replace(token.start, end, JSON.stringify(target))
    }
    if (token.kind === 'word' && token.text === 'CONTAINER') {
      replace(token.start, end, JSON.stringify(container))
    }
    const [dot, log, open] = tokens.slice(index + 1, index + 4)
    if (token.text === 'console' && dot?.text === '.' && log?.text === 'log' && open?.text === '(') {
      replace(token.start, open.start, `printAt(${printings.length})`)
      printings.push({ line: lineAt(code, token.start), expected: commentBehind(code, index + 3) })
    }
  }
  parts.push(code.slice(at))
  return { code: parts.join(''), printings }
}

/** The comment in the line in which the parenthesis that opens at token `open` is closed. */
function commentBehind(code: string, open: number): string | undefined {
  const tokens = tokensOf(code)
  let depth = 0
  for (const [index, { kind, text, start }] of tokens.entries()) {
    if (index < open || kind !== 'sign') continue
    if (text === '(') depth += 1
    if (text === ')') depth -= 1
    if (depth > 0) continue
    const behind = tokens[index + 1]
    const isBehind = behind?.kind === 'comment' && !code.slice(start, behind.start).includes('\n')
    return isBehind ? behind.text.replace(/^\/\/\s*/, '') : undefined
  }
  return undefined
}

/** Whether `seen` is what a comment says: spaces and kinds of quotes do not count, `…` stands for anything. */
export function isAsSaid(seen: string, said: string): boolean {
  const pattern = loose(said)
    .split('…')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*')
  return new RegExp(`^${pattern}$`).test(loose(seen))
}

function loose(text: string): string {
  return text
    .replace(/["'`]/g, "'")
    .replace(/\s+/g, ' ')
    .replace(/ ?([[\]{}(),:…]) ?/g, '$1')
    .replace(/,(?=[\]})])/g, '')
    .replace(/,?…,?/g, '…')
    .trim()
}
