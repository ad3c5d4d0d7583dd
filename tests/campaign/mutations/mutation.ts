/** A mechanism taken away, to see that a test notices. */

export interface Mutation {
  /** What it is for, in words of its own. */
  readonly mechanism: string
  readonly file: string
  /** Must occur exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** The narrowest test that must fail then: arguments of `bun test`. */
  readonly tests: readonly [string, ...string[]]
  /** Where that is missing, its test is skipped and tells nothing. */
  readonly needs?: 'bubblewrap' | 'root'
}

/** The file's text without the mechanism. Throws when there is not exactly one place. */
export function mutated(text: string, { mechanism, file, find, replace }: Mutation): string {
  const [before, ...after] = text.split(find)
  if (after.length !== 1 || before === undefined)
    throw new Error(`${mechanism}: ${JSON.stringify(find)} occurs ${after.length} times in ${file}, not once`)
  return `${before}${replace}${after[0]}`
}
