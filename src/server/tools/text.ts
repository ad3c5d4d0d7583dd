/** Texts as base servers, which are written in Python, form them. */

import type { OutputEnds } from '../sandbox/collect-output.ts'

/** The head of a text that is longer than `max` characters (code points), with a note. */
export function truncated(text: string, max: number): string {
  const end = endOfCharacters(text, max)
  return end === text.length ? text : `${text.slice(0, end)}\n... (output truncated)`
}

/** The last of the lines, as many as have at most `max` characters together, under a note about the others. */
export function lastLines(
  lines: readonly string[],
  max: number,
): { readonly output: string; readonly isTruncated: boolean } {
  let first = lines.length
  for (let left = max; first > 0; first--) {
    left -= countCharacters(lines[first - 1] ?? '')
    if (left < 0) break
  }
  const note = first === 0 ? '' : `... (output truncated: ${first} lines above)\n`
  return { output: note + lines.slice(first).join(''), isTruncated: first > 0 }
}

/** Head and tail of an output, with what is dropped between them counted in bytes. */
export function headAndTail({ head, tail, bytes }: OutputEnds, max: number): string {
  const half = Math.floor(max / 2)
  if (tail === null && endOfCharacters(head, max) === head.length) return head
  const first = head.slice(0, endOfCharacters(head, half))
  const whole = tail ?? head
  const last = whole.slice(startOfCharacters(whole, max - half))
  const dropped = bytes - Buffer.byteLength(first) - Buffer.byteLength(last)
  return `${first}\n... (${Math.max(dropped, 1)} bytes dropped)\n${last}`
}

/** Whether {@link headAndTail} drops something. */
export function isDropped({ head, tail }: OutputEnds, max: number): boolean {
  return tail !== null || endOfCharacters(head, max) < head.length
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

function startOfCharacters(text: string, max: number): number {
  let at = text.length
  for (let count = 0; count < max && at > 0; count++) at -= at > 1 && isPair(text, at - 2) ? 2 : 1
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
