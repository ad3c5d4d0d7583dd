/**
 * How a long-lived bash is talked to. Pure: texts.
 *
 * It is an interactive one, since such a shell drops what it is at when it is interrupted, and lives on; without a
 * terminal, so that there is no echo and no job control. Its stdin is a socket: our lines come on it, its reports go
 * back on it. While a command runs, stdin is /dev/null; nobody but the shell itself holds the socket, and a socket
 * cannot be opened by its path. A report is believed when it begins with the call's nonce, which no variable holds.
 */
import { COMMAND_FD, type ProcessLimits, sandboxedScript } from '../sandbox/inside.ts'

/**
 * Becomes the shell, which is the leader of a process group already: what it runs is interrupted with it. What bash says
 * of itself while it starts ("no job control in this shell") is for nobody.
 */
export function interactiveScript(limits: ProcessLimits | null): string {
  return [
    ...sandboxedScript(limits),
    'exec 8>&2 2> /dev/null',
    `exec bash --noprofile --norc --noediting +o history +H -i <&${COMMAND_FD} ${COMMAND_FD}<&-`,
  ].join('\n')
}

/** What is left of a call when the next begins. */
export interface Status {
  readonly exitCode: number
  /** As in `$-`. */
  readonly options: string
}

const noPrompts = 'PS1= PS2=; unset PS0 PROMPT_COMMAND'

/** The first line that the shell reads. */
export function openingLine(nonce: string): string {
  const quiet = `${noPrompts} MAILCHECK HISTFILE`
  return `exec 2>&8 8>&-; ${quiet}; ${report(nonce, 'ready')}\n`
}

/**
 * The command, and a report of how it ended: the first one counts. It is sent twice, since an error like `set -u` finds,
 * or an interrupt, makes bash drop the line that it is at; and `set -v` shows lines as they are read.
 */
export function callLines(nonce: string, command: string, { exitCode, options }: Status): string {
  // Taken away by the last report, so that our own lines are not traced.
  const tracing = options.replace(/[^vx]/g, '')
  const text = tracing === '' ? command : `set -${tracing}\n${command}`
  const status = exitCode === 0 ? '' : `(exit ${exitCode}) || `
  // Within a sourced text bash does not speak as it does at a prompt: no "[1] 42", no "exit".
  const sourced = `exec < /dev/null; ${status}eval "$BASH_EXECUTION_STRING"`
  return [
    `${hidden(report(nonce, 'took'))}; BASH_EXECUTION_STRING=${quoted(text)}; . /dev/stdin <<< '${sourced}'; ${reportScript(nonce)}\n`,
    reportLine(nonce),
  ].join('')
}

/** Asks for a report of how the last command ended. */
export function reportLine(nonce: string): string {
  return `${reportScript(nonce)}\n`
}

function reportScript(nonce: string): string {
  return hidden(`${report(nonce, 'done', '"$?"', '"$-"')}; set +vx; ${noPrompts}`)
}

function report(nonce: string, ...words: readonly string[]): string {
  return `printf '${words.map(() => '%s ').join('')}%s\\n' ${[nonce, ...words].join(' ')} >&0`
}

/** Keeps traces and traps of the user's out of the output. */
function hidden(script: string): string {
  return `{ ${script}; } > /dev/null 2>&1`
}

/** One word on one line, whatever is in it. */
function quoted(text: string): string {
  const escaped = text.replace(/[\\'!\p{Cc}]/gu, (character) => {
    const code = character.charCodeAt(0)
    return code < 128 ? `\\${code.toString(8).padStart(3, '0')}` : character
  })
  return `$'${escaped}'`
}

export type Report = { readonly nonce: string } & (
  | { readonly kind: 'ready' | 'took' }
  | { readonly kind: 'done'; readonly status: Status }
)

/** A line from the shell's socket, when it looks like a report. */
export function parseReport(line: string): Report | null {
  const [nonce = '', kind, code = '', options = ''] = line.split(' ')
  if (kind === 'ready' || kind === 'took') return { nonce, kind }
  if (kind !== 'done' || !/^\d{1,3}$/.test(code)) return null
  return { nonce, kind, status: { exitCode: Number(code), options } }
}
