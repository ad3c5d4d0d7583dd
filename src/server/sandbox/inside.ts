/** What runs inside a sandbox before the command does: shell scripts as data. */

/**
 * The command comes on it: its length in bytes, a newline, its bytes. After the length may stand {@link STDIN_FOLLOWS}:
 * then all that follows the command is its stdin. The server's end is the sandbox's lifeline.
 */
export const COMMAND_FD = 3
/**
 * The shell tells on its stdout that it waits for a command, and then that it has taken it. Nothing that is not ours can
 * run, so write, before the second mark: a command can forge none of them.
 */
export const READY_MARK = 'R'
export const TOOK_MARK = 'T'

export const STDIN_FOLLOWS = '+'

/**
 * Where no shell waits for the command, the first process does (first-process.pl): this line, for a shell that takes the
 * command from there; or the length in bytes of what follows, a newline, the command, and the words of its
 * program, with NULs between them.
 */
export const SHELL_FOLLOWS = 'shell\n'

/** Bounds of one call's processes. They are hard: a process without capabilities can only lower them. */
export interface ProcessLimits {
  readonly processes: number
  /** Of each process's address space. */
  readonly memoryBytes: number
  /** Of each file that is written. */
  readonly fileBytes: number
  readonly openFiles: number
}

function kib(bytes: number): number {
  return Math.max(1, Math.floor(bytes / 1024))
}

/** The shell's words for the limits. Bash counts memory and files in KiB. */
export function limitsScript(limits: ProcessLimits): string {
  const { processes, memoryBytes, fileBytes, openFiles } = limits
  return `ulimit -c 0 -u ${processes} -v ${kib(memoryBytes)} -f ${kib(fileBytes)} -n ${openFiles} || exit 125`
}

/** The kernel's numbers for them, with their values: what the shell's words come to. */
export function limitsWord({ processes, memoryBytes, fileBytes, openFiles }: ProcessLimits): string {
  const [core, fsize, nproc, nofile, as] = [4, 1, 6, 7, 9]
  const whole = (bytes: number) => kib(bytes) * 1024
  return [
    `${core}:0 ${nproc}:${processes} ${nofile}:${openFiles}`,
    `${as}:${whole(memoryBytes)} ${fsize}:${whole(fileBytes)}`,
  ].join(' ')
}

/** The words of a sandbox's shell before all others; without a sandbox there are none. */
export function sandboxedScript(limits: ProcessLimits | null): readonly string[] {
  if (limits === null) return []
  return [
    'exec 2>&8 8>&-',
    // What a tool call does must not cost the server its life when memory runs out.
    '{ echo 1000 > /proc/self/oom_score_adj; } 2> /dev/null',
    limitsScript(limits),
  ]
}

/**
 * Takes a command and runs it as `bash -c COMMAND` would. It comes on a descriptor, since arguments end at 128 KiB, and
 * its length is told, so that half a command from a server that died is never run.
 */
export function shellScript(limits: ProcessLimits | null): string {
  return [
    ...sandboxedScript(limits),
    `shift || printf ${READY_MARK}`,
    `read -r <&${COMMAND_FD} || exit 125`,
    'BASH_EXECUTION_STRING=',
    // -N reads whole blocks from a pipe; other ways read single bytes, or fork.
    `{ [[ $REPLY == 0* ]] || LC_ALL=C read -r -N "\${REPLY%${STDIN_FOLLOWS}}" BASH_EXECUTION_STRING <&${COMMAND_FD}; } || exit 125`,
    `[[ $REPLY != *${STDIN_FOLLOWS} ]] || exec 0<&${COMMAND_FD}`,
    'unset REPLY',
    `printf ${TOOK_MARK}`,
    `exec ${COMMAND_FD}<&-`,
    programInPlace,
    'eval "$BASH_EXECUTION_STRING"',
    // In one line, so that the command's errors name its own lines.
  ].join('; ')
}

const firstWord = `\${BASH_EXECUTION_STRING%% *}`

/**
 * A program with plain arguments takes the shell's place, as with `bash -c`; `eval` would fork for it. Only what is found
 * on the PATH is among BASH_CMDS: no builtin, nothing that is missing. `time` is a program and a word of the shell.
 */
const programInPlace =
  'case $BASH_EXECUTION_STRING in *[!A-Za-z0-9_./:@%+,\\ -]* | [!A-Za-z0-9]* | "" | time | time\\ *) ;; ' +
  `*) hash -- "${firstWord}" 2> /dev/null; ` +
  `[[ ! -v BASH_CMDS[${firstWord}] ]] || exec $BASH_EXECUTION_STRING ;; esac`

/** Becomes a shell for a person, or a model, at a terminal. Its history is not kept in the workspace. */
export function terminalScript(limits: ProcessLimits | null): string {
  return [
    ...sandboxedScript(limits),
    "PS1='$ ' HISTFILE= TERM=xterm-256color exec bash --norc --noprofile -i",
  ].join('\n')
}

/**
 * The first process of a sandbox: waits for the shell, ends as it ends. A process of its own, since the first process
 * of a pid namespace ignores the signals that it sends to itself, and reaps orphans. It keeps its own words ("Killed")
 * out of the command's stderr. The shell gets a session of its own, for what it sends to its process group would reach
 * bubblewrap's monitor; at a terminal it keeps that, and makes groups itself.
 */
export const firstProcess = [
  'sh',
  '-c',
  'exec 8>&2 2> /dev/null; if [ -t 0 ]; then bash -c "$1"; else setsid bash -c "$1"; fi; exit $?',
  'sh',
] as const
