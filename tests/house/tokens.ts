/** TypeScript text as tokens: enough to find imports, exports, comments and names, without a compiler. */

export interface Token {
  readonly kind: 'comment' | 'string' | 'text' | 'regex' | 'word' | 'sign'
  readonly text: string
  /** Position of its first character. */
  readonly start: number
}

/** After one of these words, a slash begins a regular expression. */
const wordsBeforeRegex = new Set(['return', 'typeof', 'case', 'in', 'of', 'await', 'yield', 'void', 'delete'])

const comment = /\/\/[^\n]*|\/\*[\s\S]*?\*\//y
const string = /'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y
const regex = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y
const word = /[#@]?[\p{ID_Start}$_\d][\p{ID_Continue}$]*/uy
const templateText = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*/y

/** All tokens; of a template, its pieces of text are tokens of kind `text`, and what is in `${…}` is code. */
export function tokensOf(source: string): Token[] {
  const tokens: Token[] = []
  const templates: number[] = []
  let depth = 0
  let at = 0
  let last: Token | undefined
  const take = (kind: Token['kind'], text: string) => {
    const token = { kind, text, start: at }
    tokens.push(token)
    if (kind !== 'comment') last = token
    at += text.length
  }
  const match = (pattern: RegExp) => {
    pattern.lastIndex = at
    return pattern.exec(source)?.[0]
  }
  const text = () => {
    take('text', match(templateText) ?? '')
    if (source[at] === '`') return take('sign', '`')
    templates.push(depth)
    depth += 1
    take('sign', '${')
  }
  while (at < source.length) {
    const character = source[at] ?? ''
    if (/\s/.test(character)) {
      at += 1
      continue
    }
    const note = match(comment)
    if (note !== undefined) take('comment', note)
    else if (character === '`') {
      take('sign', '`')
      text()
    } else if (character === '}' && templates.at(-1) === depth - 1) {
      take('sign', '}')
      depth = templates.pop() ?? 0
      text()
    } else {
      const literal = match(string)
      const pattern = literal === undefined && isExpressionNext(last) ? match(regex) : undefined
      const name = match(word)
      if (literal !== undefined) take('string', literal)
      else if (pattern !== undefined) take('regex', pattern)
      else if (name !== undefined) take('word', name)
      else {
        if (character === '{') depth += 1
        if (character === '}') depth -= 1
        take('sign', character)
      }
    }
  }
  return tokens
}

function isExpressionNext(last: Token | undefined): boolean {
  if (last === undefined) return true
  if (last.kind === 'word') return wordsBeforeRegex.has(last.text)
  return last.kind === 'sign' && ![')', ']', '}', '`'].includes(last.text)
}

/** The tokens without comments. */
export function codeOf(source: string): Token[] {
  return tokensOf(source).filter(({ kind }) => kind !== 'comment')
}

/** What is between the quotes. */
export function unquoted(token: Token): string {
  return token.text.slice(1, -1)
}

/** The line, from 1, of a position. */
export function lineAt(source: string, position: number): number {
  return source.slice(0, position).split('\n').length
}
