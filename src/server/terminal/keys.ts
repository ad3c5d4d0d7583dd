/** Key names of tmux, and the bytes that a terminal sends for them. Pure. */

/** What the program has asked of the keyboard. */
export interface KeyModes {
  /** Arrows, Home and End come as `ESC O`: full-screen programs ask for it. */
  readonly applicationCursor: boolean
}

const ESC = '\x1b'

/** Keys that are one byte, and take no modifier but Meta. */
const plain: Readonly<Record<string, string>> = {
  enter: '\r',
  kpenter: '\r',
  escape: ESC,
  space: ' ',
  tab: '\t',
  btab: `${ESC}[Z`,
  bspace: '\x7f',
  ...Object.fromEntries([...'0123456789+-*/.'].map((key) => [`kp${key}`, key])),
}

/** `ESC [ 1 ; modifier LETTER`; without a modifier `ESC [ LETTER`, or `ESC O LETTER` where that is asked for. */
const cursor: Readonly<Record<string, string>> = {
  up: 'A',
  down: 'B',
  right: 'C',
  left: 'D',
  end: 'F',
  home: 'H',
}
/** The same, but always `ESC O LETTER` without a modifier. */
const firstFunctions: Readonly<Record<string, string>> = { f1: 'P', f2: 'Q', f3: 'R', f4: 'S' }

/** `ESC [ NUMBER ; modifier ~`. */
const numbered: Readonly<Record<string, number>> = {
  ...{ ic: 2, insert: 2, dc: 3, delete: 3, ppage: 5, pageup: 5, pgup: 5, npage: 6, pagedown: 6, pgdn: 6 },
  ...{ f5: 15, f6: 17, f7: 18, f8: 19, f9: 20, f10: 21, f11: 23, f12: 24 },
}

/** Characters that have no control character of their own, and share another's. */
const controlAliases: Readonly<Record<string, string>> = { ' ': '@', '2': '@', '/': '_', '-': '_' }

interface Modifiers {
  readonly shift: boolean
  readonly meta: boolean
  readonly control: boolean
}

/** Whether it is the name of a key, as in `Enter`, `C-c` or `F5`, and not a text to type. */
export function isKeyName(key: string): boolean {
  return parse(key) !== null
}

/**
 * What a terminal sends for `key`: for a name of tmux (in any case) that key, with `C-`, `M-`, `S-` (also `^x`) before
 * it; for everything else the text itself. `null`: it is the name of a key that no terminal can send, as `C-Enter`.
 */
export function encodeKey(key: string, modes: KeyModes): string | null {
  const parsed = parse(key)
  return parsed === null ? key : encode(parsed.name, parsed.modifiers, modes)
}

/** `null`: a text. A single character without a modifier is one. */
function parse(key: string): { readonly name: string; readonly modifiers: Modifiers } | null {
  const [, prefixes = '', rest = ''] = /^((?:[CMS]-)*)(.+)$/isu.exec(key) ?? []
  const caret = prefixes === '' && /^\^(.)$/su.exec(rest)?.[1]
  const name = (caret === false ? undefined : caret) ?? rest
  const has = (letter: string) => prefixes.toUpperCase().includes(`${letter}-`)
  const modifiers = { shift: has('S'), meta: has('M'), control: has('C') || name !== rest }
  if (isNamed(name.toLowerCase())) return { name: name.toLowerCase(), modifiers }
  // tmux knows Shift only beside a name; a shifted character is another character.
  const isCharacter = [...name].length === 1 && !modifiers.shift && (modifiers.meta || modifiers.control)
  return isCharacter ? { name, modifiers } : null
}

function isNamed(name: string): boolean {
  return [plain, cursor, firstFunctions, numbered].some((keys) => Object.hasOwn(keys, name))
}

function encode(name: string, modifiers: Modifiers, modes: KeyModes): string | null {
  const { shift, meta, control } = modifiers
  const code = 1 + (shift ? 1 : 0) + (meta ? 2 : 0) + (control ? 4 : 0)
  const number = numbered[name]
  if (number !== undefined) return `${ESC}[${number}${code === 1 ? '' : `;${code}`}~`
  const letter = cursor[name] ?? firstFunctions[name]
  if (letter !== undefined) {
    if (code !== 1) return `${ESC}[1;${code}${letter}`
    return `${ESC}${modes.applicationCursor || name in firstFunctions ? 'O' : '['}${letter}`
  }
  if (name === 'tab' && shift) return encode('btab', { ...modifiers, shift: false }, modes)
  if (shift) return null
  const text = plain[name] ?? name
  const sent = control ? controlled(text) : text
  return sent === null ? null : (meta ? ESC : '') + sent
}

/** The control character of `@`, a letter, `[`, `\`, `]`, `^`, `_` or `?`. */
function controlled(character: string): string | null {
  const upper = (controlAliases[character] ?? character).toUpperCase()
  if (upper === '?') return '\x7f'
  return /^[@A-Z[\\\]^_]$/.test(upper) ? String.fromCharCode(upper.charCodeAt(0) & 0x1f) : null
}
