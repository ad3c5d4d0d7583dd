/** Values of command line options: from text to what they mean, or a sentence that says what they must be. */
import { InvalidArgumentError, Option } from 'commander'
import { SandboxUsageError } from '../errors.ts'
import { containerAddress } from '../executor/addresses.ts'
import { normalAddress } from '../protocol/address.ts'

/** A parser for a whole number from `min` to `max`. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}

/** A text that is not empty. */
export function notEmpty(text: string): string {
  if (text === '') throw new InvalidArgumentError('It must not be empty.')
  return text
}

/** One address of a container. */
export function address(text: string): string {
  try {
    return containerAddress(text)
  } catch (thrown) {
    if (!(thrown instanceof SandboxUsageError)) throw thrown
    throw new InvalidArgumentError('It must be the address of a container, like http://10.0.0.1:8080.')
  }
}

/** Where Nomad's API is. */
export function nomadAddress(text: string): string {
  const normal = normalAddress(text)
  if (normal !== undefined) return normal
  throw new InvalidArgumentError('It must be the address of Nomad, like http://127.0.0.1:4646.')
}

/** Addresses of containers, each given once. */
export function addresses(text: string, earlier: readonly string[] = []): string[] {
  const next = address(text)
  if (earlier.includes(next)) throw new InvalidArgumentError('This container is given twice.')
  return [...earlier, next]
}

export const isolations = ['bubblewrap', 'none'] as const

export type IsolationOption = (typeof isolations)[number]

export function isolationOption(): Option {
  return new Option(
    '--isolation <kind>',
    'how commands of the embedded server are kept apart (default: bubblewrap)',
  ).choices(isolations)
}

export function slotsOption(description: string): Option {
  return new Option('--slots <n>', description).argParser(wholeNumber(1, 4096))
}

export function dataDirOption(): Option {
  return new Option(
    '--data-dir <dir>',
    'keep the workspaces there (default: a temporary directory, removed at the end)',
  ).argParser(notEmpty)
}
