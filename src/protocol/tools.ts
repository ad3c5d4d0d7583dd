/** Floor 0: the tools that every server has, and their arguments. */

/** Arguments of `bash`: one command in a fresh shell, in the workspace. */
export interface BashArgs {
  readonly command: string
  /** Asks for the network; a server may refuse to give it. */
  readonly allow_network?: boolean
  /** Fail rather than run without a sandbox. */
  readonly require_sandbox?: boolean
  /** What the command reads from its stdin; default nothing. Servers with the feature `bash-io`. */
  readonly stdin?: string
  /** Set in the command's environment, over what is there. Servers with the feature `bash-io`. */
  readonly env?: Readonly<Record<string, string>>
  /** Where it runs, relative to the workspace, which is the default. Servers with the feature `bash-io`. */
  readonly cwd?: string
}

/** Arguments of `bash_stateful`: one command in the slot's long-lived shell. */
export interface BashStatefulArgs {
  readonly command: string
  readonly allow_network?: boolean
  readonly require_stateful_sandbox?: boolean
}

/** Arguments of `read_file`. */
export interface ReadFileArgs {
  /** Relative to the workspace; on our server also as a command sees it: `/workspace/…`. */
  readonly path: string
}

/** Arguments of `write_file`. */
export interface WriteFileArgs {
  /** Relative to the workspace; parents are created. */
  readonly path: string
  readonly content: string
}

/** Arguments of `tmux`: a terminal that stays in the slot. It starts by itself, of 120 by 40, when `start` did not come. */
export type TmuxArgs =
  | {
      readonly action: 'start'
      /** Columns. */
      readonly pane_width?: number
      /** Rows. */
      readonly pane_height?: number
      readonly allow_network?: boolean
      readonly require_stateful_sandbox?: boolean
    }
  | {
      readonly action: 'send_keys'
      /** Names of tmux (`Enter`, `C-c`, `F5`); everything else is typed as it is. */
      readonly keys: string | readonly string[]
      /** Wait until a program waits for keys again. Default `false`. */
      readonly block?: boolean
      /** In seconds. Default 0. */
      readonly min_wait_s?: number
      /** In seconds, with `block`. Default: the call's timeout. */
      readonly max_wait_s?: number
    }
  /** `capture_entire`: also what has scrolled away. Default `false`. */
  | { readonly action: 'capture'; readonly capture_entire?: boolean }
  /** Lines of asciicast v2 since the last `stream`; with `reset` from the start. `max_bytes`: default 50,000. */
  | { readonly action: 'stream'; readonly reset?: boolean; readonly max_bytes?: number }
  | { readonly action: 'stop' }

/** Arguments by tool. */
export interface ToolArgs {
  bash: BashArgs
  bash_stateful: BashStatefulArgs
  read_file: ReadFileArgs
  write_file: WriteFileArgs
  tmux: TmuxArgs
}

/** A tool that every server has. */
export type KnownTool = keyof ToolArgs

type KeysOf<T> = T extends unknown ? keyof T : never

/** Of each tool what it takes; what it needs is a text. */
const argumentsOf = {
  bash: {
    command: 'needed',
    allow_network: 'optional',
    require_sandbox: 'optional',
    stdin: 'optional',
    env: 'optional',
    cwd: 'optional',
  },
  bash_stateful: { command: 'needed', allow_network: 'optional', require_stateful_sandbox: 'optional' },
  read_file: { path: 'needed' },
  write_file: { path: 'needed', content: 'needed' },
  tmux: {
    action: 'needed',
    pane_width: 'optional',
    pane_height: 'optional',
    keys: 'optional',
    block: 'optional',
    min_wait_s: 'optional',
    max_wait_s: 'optional',
    capture_entire: 'optional',
    reset: 'optional',
    max_bytes: 'optional',
    allow_network: 'optional',
    require_stateful_sandbox: 'optional',
  },
} satisfies { [T in KnownTool]: Record<KeysOf<ToolArgs[T]>, 'needed' | 'optional'> }

interface Taken {
  readonly known: ReadonlySet<string>
  readonly needed: readonly string[]
}

const takenBy: ReadonlyMap<unknown, Taken> = new Map(
  Object.entries(argumentsOf).map(([tool, args]) => {
    const needed = Object.entries(args).flatMap(([name, need]) => (need === 'needed' ? [name] : []))
    return [tool, { known: new Set(Object.keys(args)), needed }]
  }),
)

export function isKnownTool(tool: unknown): tool is KnownTool {
  return takenBy.has(tool)
}

/** An argument that is wrong, and the end of a sentence about it. */
export interface WrongArgument {
  readonly name: string
  readonly problem: string
}

/**
 * The first argument that a tool which every server has does not take, or lacks. A base server runs such a call: one
 * whose `command` is misspelt does nothing, and succeeds.
 */
export function wrongArgumentOf(
  tool: string,
  args: Readonly<Record<string, unknown>>,
): WrongArgument | undefined {
  const taken = takenBy.get(tool)
  if (taken === undefined) return undefined
  // A name that is misspelt is missing too: the name that was typed is what helps.
  for (const name in args) {
    if (taken.known.has(name) || !Object.hasOwn(args, name)) continue
    return { name, problem: `is unknown: ${tool} takes ${[...taken.known].join(', ')}` }
  }
  for (const name of taken.needed) {
    const value = args[name]
    if (typeof value === 'string') continue
    return { name, problem: value === undefined ? 'is missing' : 'must be a string' }
  }
  return undefined
}
