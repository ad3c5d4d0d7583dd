/** Commands that need no shell: a program of the PATH and words that stand for themselves. Pure. */

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

/** Nothing that a shell reads anything into: bare, or in quotes. */
const word = /(?:[A-Za-z0-9_./:@%+,=-]|'[^']*'|"[^"$`\\]*")+/g
const plainCommand = new RegExp(`^[A-Za-z0-9][A-Za-z0-9_.+-]*(?: +${word.source})* *$`)
/** The kernel takes no longer words, and a shell would get all of them as one. */
const MAX_LENGTH = 65_536

/** The words of a command that a shell would do nothing with but start a program of the PATH; else `null`. */
export function programOf(command: string): readonly string[] | null {
  if (command.length > MAX_LENGTH || !plainCommand.test(command)) return null
  const words = command.match(word)?.map((quoted) => quoted.replaceAll(/'([^']*)'|"([^"]*)"/g, '$1$2')) ?? []
  return shellWords.has(words[0] ?? '') ? null : words
}
