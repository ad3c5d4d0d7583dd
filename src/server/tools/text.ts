/** Texts as base servers, which are written in Python, form them. */

/** The head of a text that is longer than `max` characters (code points), with a note. */
export function truncated(text: string, max: number): string {
  const end = endOfCharacters(text, max)
  return end === text.length ? text : `${text.slice(0, end)}\n... (output truncated)`
}

/** How many characters (code points, not UTF-16 units) a text has. */
export function countCharacters(text: string): number {
  let pairs = 0
  for (let at = 0; at < text.length; at++) {
    if (isPair(text, at)) {
      pairs += 1
      at += 1
    }
  }
  return text.length - pairs
}

function endOfCharacters(text: string, max: number): number {
  if (text.length <= max) return text.length
  let at = 0
  for (let count = 0; count < max && at < text.length; count++) at += isPair(text, at) ? 2 : 1
  return at
}

function isPair(text: string, at: number): boolean {
  return (text.codePointAt(at) ?? 0) > 0xffff
}

/** stdout, then stderr under a heading; only stderr without one. */
export function combinedOutput(stdout: string, stderr: string, max: number): string {
  const parts = stderr === '' ? stdout : stdout === '' ? stderr : `${stdout}\n[stderr]\n${stderr}`
  return truncated(parts, max).trim()
}

/** A number as Python's `str(float)` writes it: `0.5`, `30.0`, `1e-05`. */
export function pythonFloat(value: number): string {
  if (Math.abs(value) < 1e-4 && value !== 0) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2')
  }
  return Number.isInteger(value) ? value.toFixed(1) : String(value)
}
