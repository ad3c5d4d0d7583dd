/** Commands that need no shell: a program of the PATH and plain words. Pure. */

/** Words of the shell, and what it would run itself. What is missing here and on the PATH is left to the shell, too. */
const shellWords = new Set(
  [
    ...['if then else elif fi case esac for select while until do done in function time coproc'],
    ...[
      'alias bg bind break builtin caller cd command compgen complete compopt continue declare dirs disown',
    ],
    ...['echo enable eval exec exit export false fc fg getopts hash help history jobs kill let local logout'],
    ...['mapfile popd printf pushd pwd read readarray readonly return set shift shopt source suspend test'],
    ...['times trap true type typeset ulimit umask unalias unset wait'],
  ].flatMap((line) => line.split(' ')),
)

/** Nothing that a shell reads anything into. */
const plainWords = /^[A-Za-z0-9][A-Za-z0-9_./:@%+, -]*$/
/** The kernel takes no longer words, and a shell gets all of them as one. */
const MAX_LENGTH = 65_536

/** The words of a command that a shell would do nothing with but start a program of the PATH; else `null`. */
export function programOf(command: string): readonly string[] | null {
  if (command.length > MAX_LENGTH || !plainWords.test(command)) return null
  const words = command.split(' ').filter(Boolean)
  const [name = ''] = words
  return name.includes('/') || shellWords.has(name) ? null : words
}
