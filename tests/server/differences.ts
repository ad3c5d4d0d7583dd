/** What is sent for the recorded exchanges, and what this server answers differently on purpose. */
import type { Exchange } from '../support/vectors.ts'

/** The text of the request's body, with what the recording left out put back. */
export function bodyOf({ name, request }: Exchange): string | null {
  if (name === 'oversized-body') {
    const args = { path: 'x', content: 'x'.repeat(1_100_000) }
    return JSON.stringify({ slot_id: 'slot_0', tool: 'write_file', args })
  }
  if (request.raw_body !== undefined) return request.raw_body
  if (request.body === undefined) return null
  return JSON.stringify(request.body).replace('<100001 times x>', 'x'.repeat(100_001))
}

/** A difference on purpose: `path` in the answer's JSON, as recorded and as it is here. */
export interface Difference {
  readonly why: string
  readonly path: string
  /** `*` stands for anything, a RegExp for what it matches. */
  readonly here: unknown
}

const noNetwork = (metadata = 'metadata'): Difference => ({
  why: 'there is no network in a sandbox, allow_network or not',
  path: `${metadata}.network_isolated`,
  here: true,
})

/** What the metadata of a `bash` call tells beside what base servers tell. */
const additions = (metadata = 'metadata'): readonly Difference[] =>
  [...['stdout', 'stderr', 'stdout_bytes', 'stderr_bytes', 'truncated'], ...['signal', 'duration']].map(
    (key) => ({
      why: 'an addition: stdout and stderr apart, true counts, the signal, the time it took in seconds',
      path: `${metadata}.${key}`,
      here: '*',
    }),
  )

/** What `GET /health` tells beside what base servers tell. */
const announcement: readonly Difference[] = [
  ...['protocol', 'features', 'ledger', 'ledger_retention'],
  ...['max_body_bytes', 'max_timeout', 'detach_grace'],
].map((path) => ({ why: 'an addition: the extended protocol is announced', path, here: '*' }))

const ownWords = (here: string): readonly Difference[] => [
  { why: "a sentence instead of Python's inner life", path: 'error', here },
]

const listedOnce = (index: number): Difference => ({
  why: 'a symlink inside the workspace is listed under its own name, not as a double of its target',
  path: `entries.${index}.path`,
  here: 'a/in-link',
})

const network = [noNetwork(), ...additions()]

const stateful = (output: string): readonly Difference[] => [
  { why: "without the recorder's lines, prompts, echoes and markers", path: 'output', here: output },
  ...network,
]

/** By the vector's name. Whatever is not here must be equal. */
export const differences: Readonly<Record<string, readonly Difference[]>> = {
  health: announcement,
  'bash-ok': network,
  'bash-nonzero': network,
  'bash-stderr-only': network,
  'bash-killed-by-signal': network,
  'bash-empty-command': network,
  'bash-missing-command': network,
  'bash-binary-output': network,
  'bash-no-network': additions(),
  'bash-huge-output': [
    ...network,
    {
      why: 'the recording is elided',
      path: 'output',
      here: `${'a'.repeat(50_000)}\n... (output truncated)`,
    },
  ],
  'bash-stdin': network,
  'bash-background': network,
  'bash-timeout': [
    { why: 'the output so far is given, not thrown away', path: 'output', here: 'before' },
    ...additions(),
  ],
  'seed-tree': network,
  'execute-no-execution-id': network,
  'batch-mixed': ['0.metadata', '1.metadata'].flatMap((metadata) => [
    noNetwork(metadata),
    ...additions(metadata),
  ]),
  'stateful-1': stateful('/workspace/src'),
  'stateful-2': stateful('A=1\n/workspace/src'),
  'stateful-exit': stateful(''),
  'tmux-start': ['socket', 'session', 'recording'].map((key) => ({
    why: "names of that server's tmux and of the recorder's file: here is no tmux, and no file in the workspace",
    path: `metadata.${key}`,
    here: undefined,
  })),
  'tmux-capture': [
    {
      why: "without the recorder's own lines; the prompt is a user's, not root's",
      path: 'output',
      here: `$ echo hi-$((20+3))\nhi-23\n$\n${'\n'.repeat(21)}`,
    },
  ],
  'execute-array-body': ownWords('The request body must be an object'),
  'batch-bad-item': ownWords('Item 1 of the batch must be an object'),
  'batch-args-not-object': [
    {
      why: "a whole response with its id, and a sentence instead of Python's inner life",
      path: '0',
      here: {
        success: false,
        output: '',
        error: 'args must be an object',
        execution_id: 'g',
        metadata: {},
      },
    },
  ],
  'artifacts-list': [listedOnce(2)],
  'artifacts-list-recursive': [
    {
      why: 'without the two files of the terminal recorder; in-link under its own name',
      path: 'entries',
      here: ['a', 'src', 'src/hello.txt', 'a/b', 'a/1.txt', 'a/in-link', 'a/b/2.txt'].map((path) => ({
        path,
        is_dir: ['a', 'src', 'a/b'].includes(path),
        size: ['a', 'src', 'a/b'].includes(path) ? 4096 : path === 'src/hello.txt' ? 13 : 2,
        mtime: 0,
      })),
    },
  ],
  'artifacts-archive': [
    { why: 'other bytes: compared by what they unpack to, in archive.test.ts', path: 'content', here: '*' },
    { why: 'the same', path: 'bytes', here: '*' },
  ],
  'artifacts-archive-too-large': [
    {
      why: 'without the two files of the terminal recorder',
      path: 'error',
      here: /^Archive too large: \d+ bytes \(max 10\)$/,
    },
    { why: 'the same', path: 'bytes', here: '*' },
  ],
}
