/** The token of a server: from a file or the environment, never an argument, which every user of the machine can see. */
import { Option } from 'commander'
import { CommandFailure } from './failure.ts'
import { notEmpty } from './option-values.ts'
import { readTextFile } from './text-file.ts'

export const tokenVariable = 'SANDBOX_SLOTS_TOKEN'

/** Nomad's own. */
export const nomadTokenVariable = 'NOMAD_TOKEN'

export function tokenFileOption(description: string): Option {
  return new Option(
    '--token-file <file>',
    `${description} (default: the environment variable ${tokenVariable})`,
  ).argParser(notEmpty)
}

export function nomadTokenFileOption(): Option {
  return new Option(
    '--nomad-token-file <file>',
    `a file with an ACL token of Nomad (default: the environment variable ${nomadTokenVariable})`,
  ).argParser(notEmpty)
}

/** The token in `file`, else that of the environment, else none. @throws {CommandFailure} for what is no token */
export async function readToken(
  file: string | undefined,
  variable: string = tokenVariable,
): Promise<string | undefined> {
  // Spaces and line ends around it are the editor's.
  if (file !== undefined) return tokenOf((await readTextFile(file, 'token file')).trim(), `the file ${file}`)
  const value = process.env[variable]?.trim() ?? ''
  return value === '' ? undefined : tokenOf(value, `the environment variable ${variable}`)
}

function tokenOf(text: string, where: string): string {
  if (/^[\x21-\x7e]+$/.test(text)) return text
  throw new CommandFailure(
    `Cannot use what is in ${where} as a token: it must be visible ASCII characters without spaces`,
  )
}
