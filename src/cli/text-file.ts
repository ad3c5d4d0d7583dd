/** Files of text lines that the user names. */
import { readFile } from 'node:fs/promises'
import * as v from 'valibot'
import { describeThrown } from '../errors.ts'
import { isJsonObject } from '../protocol/json-object.ts'
import { CommandFailure } from './failure.ts'

/** The whole text of a file; a {@link CommandFailure} when it cannot be read. `kind` says what the file is. */
export async function readTextFile(path: string, kind: string): Promise<string> {
  const bytes = await readFile(path).catch((thrown: unknown) => {
    throw new CommandFailure(`Cannot read the ${kind} ${path}: ${fileTrouble(thrown)}`)
  })
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new CommandFailure(`Cannot read the ${kind} ${path}: it is not UTF-8 text`)
  }
}

const troubles: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
}

/** What is wrong with a file, in words. */
export function fileTrouble(thrown: unknown): string {
  return troubles[errorCode(thrown) ?? ''] ?? describeThrown(thrown)
}

/** The operating system's code of a failure, such as `ENOENT`. */
export function errorCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !('code' in thrown)) return undefined
  return typeof thrown.code === 'string' ? thrown.code : undefined
}

/** The value of one line of a JSON Lines file; a {@link CommandFailure} that names file, line and what is wrong. */
export function parseLine<T>(
  schema: v.GenericSchema<unknown, T>,
  line: string,
  file: string,
  lineNumber: number,
): T {
  const at = `${file}:${lineNumber}`
  if (line.trim() === '') throw new CommandFailure(`${at}: the line is empty; it must be a JSON object`)
  const value = parseJson(line, at)
  if (!isJsonObject(value)) {
    throw new CommandFailure(`${at}: the line must be a JSON object, not ${shown(value)}`)
  }
  const parsed = v.safeParse(schema, value)
  if (parsed.success) return parsed.output
  throw new CommandFailure(`${at}: ${describeIssue(parsed.issues[0], schema)}`)
}

function parseJson(line: string, at: string): unknown {
  try {
    return JSON.parse(line)
  } catch (thrown) {
    const reason = describeThrown(thrown).replace(/^JSON Parse error: /, '')
    throw new CommandFailure(`${at}: the line is not JSON (${reason})`)
  }
}

function describeIssue(issue: v.BaseIssue<unknown>, schema: object): string {
  const field = v.getDotPath(issue) ?? 'the line'
  if (/object$/.test(issue.type) && issue.expected === 'never') {
    const known = 'entries' in schema ? `; known: ${Object.keys(schema.entries ?? {}).join(', ')}` : ''
    return `unknown key ${JSON.stringify(field)}${known}`
  }
  if (issue.input === undefined) return `key ${JSON.stringify(field)} is missing`
  return `${field} ${issue.message}, not ${shown(issue.input)}`
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  // As JSON an infinite number is null.
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? String(value))
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** The lines of a text; what ends the last one is no line of its own. */
export function linesOf(text: string): string[] {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  return lines
}
