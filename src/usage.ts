/** Floor 0: misuse is refused with a sentence that names the field. */
import * as v from 'valibot'
import { SandboxUsageError } from './errors.ts'

/** `value` as `schema` sees it, or a {@link SandboxUsageError} that names the field of `subject` that is wrong. */
export function checked<T>(schema: v.GenericSchema<unknown, T>, value: unknown, subject: string): T {
  const parsed = v.safeParse(schema, value)
  if (parsed.success) return parsed.output
  // A name that is misspelled is missing too: the name that was typed is what helps.
  const issue = parsed.issues.find(isUnknownKey) ?? parsed.issues[0]
  const field = v.getDotPath(issue)
  const problem = isObjectIssue(issue) ? 'it must be an object' : issue.message
  if (field === null) {
    throw new SandboxUsageError(subject, `Cannot use ${shown(issue.input)} as ${subject}: ${problem}`)
  }
  if (isUnknownKey(issue)) {
    throw new SandboxUsageError(field, `Unknown option ${field} in ${subject}${known(schema, issue)}`)
  }
  if (isMissingKey(issue)) {
    throw new SandboxUsageError(field, `Cannot use ${subject}: ${field} is missing`)
  }
  throw new SandboxUsageError(field, `Cannot use ${shown(issue.input)} as ${field} of ${subject}: ${problem}`)
}

/** Throws a {@link SandboxUsageError} for what is no object: its fields can be looked at then. */
export function refuseNonObject(value: unknown, subject: string): void {
  if (typeof value === 'object' && value !== null) return
  throw new SandboxUsageError(subject, `Cannot use ${shown(value)} as ${subject}: it must be an object`)
}

function isObjectIssue({ type }: v.BaseIssue<unknown>): boolean {
  return type === 'strict_object' || type === 'object'
}

/** valibot expects the name of a key that is missing, in quotes, and an `Object` where the value is none. */
function isMissingKey(issue: v.BaseIssue<unknown>): boolean {
  return isObjectIssue(issue) && issue.expected?.startsWith('"') === true
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === 'strict_object' && issue.expected === 'never'
}

/** The options that there are where the unknown one is, as the end of a sentence. */
export function known(schema: object, { path }: v.BaseIssue<unknown>): string {
  const within = path?.slice(0, -1) ?? []
  const parent = within.reduce<unknown>((at, { key }) => entriesOf(at)[String(key)], schema)
  const names = Object.keys(entriesOf(parent))
  return names.length === 0 ? '' : `; known: ${names.join(', ')}`
}

/** Of an object's schema, also of one that may be left out. */
function entriesOf(schema: unknown): Record<string, unknown> {
  if (typeof schema !== 'object' || schema === null) return {}
  if ('wrapped' in schema) return entriesOf(schema.wrapped)
  return 'entries' in schema ? { ...Object(schema.entries) } : {}
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}

/** A time in milliseconds: finite and above 0. */
export const milliseconds = v.pipe(
  v.number('it must be a number of milliseconds'),
  v.finite('it must be a finite number of milliseconds'),
  v.gtValue(0, 'it must be above 0'),
)

/** A count: a whole number from 1. */
export const count = v.pipe(
  v.number('it must be a number'),
  v.safeInteger('it must be a whole number'),
  v.minValue(1, 'it must be at least 1'),
)

/** A text that is not empty. */
export const text = v.pipe(v.string('it must be a string'), v.nonEmpty('it must not be empty'))

/** A name that goes over the wire: an executionId, a slot, a tool. */
export const identifier = v.pipe(
  text,
  v.maxLength(200, 'it must have at most 200 characters'),
  v.check((input) => input.isWellFormed(), 'it must not hold half of a surrogate pair'),
)

export const abortSignal = v.instance(AbortSignal, 'it must be an AbortSignal')

/** A function, taken as `F` says: its parameters cannot be checked. */
export function functionOf<F>(): v.GenericSchema<unknown, F> {
  return v.custom<F>((input) => typeof input === 'function', 'it must be a function')
}
