/** What the user is told beside the results. */

/** A line on stderr. Not `console.error`: Bun prints that in red on a terminal. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}
