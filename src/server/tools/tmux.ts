/** The tool `tmux`: a terminal that stays in the slot, driven by keys and read as a screen. No tmux is needed for it. */
import * as v from 'valibot'
import { describeThrown } from '../../errors.ts'
import { baseLimits } from '../../protocol/routes.ts'
import { encodeKey, isKeyName } from '../terminal/keys.ts'
import type { Terminal, WaitEnd } from '../terminal/terminal.ts'
import { TerminalSession } from '../terminal/terminal-session.ts'
import { lastLines, pythonFloat } from './text.ts'
import { defineTool, failed, flag, succeeded, type ToolContext, type ToolResult, wellFormed } from './tool.ts'

const DEFAULT_SIZE = { columns: 120, rows: 40 }
/** Bytes of a recording that one call may ask for. */
const MAX_STREAM_BYTES = 200_000

const integer = (min: number, max: number) => {
  const message = `must be an integer from ${min} to ${max}`
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message))
}

const seconds = v.pipe(
  v.number('must be a number of seconds'),
  v.check((value) => Number.isFinite(value) && value >= 0, 'must be a number of seconds, 0 or more'),
)

const notKeys = 'must be a string or an array of strings'

const unsendable = (keys: readonly string[]) =>
  keys.find((key) => encodeKey(key, { applicationCursor: false }) === null)

const keys = v.pipe(
  v.union([wellFormed, v.array(wellFormed)], notKeys),
  v.transform((keys) => (typeof keys === 'string' ? [keys] : keys)),
  // Refused on the way in, so that nothing of its request is typed.
  v.check(
    (keys) => unsendable(keys) === undefined,
    ({ input }) => `has a key that no terminal can send: ${unsendable(input)}`,
  ),
)

const tmuxArgs = v.pipe(
  v.object({
    action: v.optional(wellFormed, 'capture'),
    pane_width: v.nullish(integer(20, 500)),
    pane_height: v.nullish(integer(10, 200)),
    keys: v.optional(keys),
    block: flag(false),
    min_wait_s: v.nullish(seconds, 0),
    max_wait_s: v.nullish(seconds),
    capture_entire: flag(false),
    reset: flag(false),
    max_bytes: v.nullish(integer(1, MAX_STREAM_BYTES), baseLimits.outputCharacters),
    allow_network: flag(true),
    require_stateful_sandbox: flag(false),
  }),
  v.forward(
    v.check(({ action, keys }) => action !== 'send_keys' || keys !== undefined, notKeys),
    ['keys'],
  ),
)

type Args = v.InferOutput<typeof tmuxArgs>

/** One call: what it was asked, and the terminal of its slot. */
interface Visit {
  readonly args: Args
  readonly context: ToolContext
  readonly session: TerminalSession
  readonly signal: AbortSignal
  /** On the clock of `performance.now()`. */
  readonly deadline: number
}

const actions: ReadonlyMap<string, (visit: Visit) => Promise<ToolResult>> = new Map([
  ['start', start],
  ['send_keys', sendKeys],
  ['capture', capture],
  ['stream', stream],
  ['stop', stop],
])

export const tmux = defineTool(tmuxArgs, async (args, context) => {
  const run = actions.get(args.action)
  if (run === undefined) return failed(`Unknown tmux action: ${args.action}`)
  if (args.require_stateful_sandbox && context.isolation.kind === 'none') {
    return failed(
      'require_stateful_sandbox was asked for, but this server runs without a sandbox (isolation "none")',
    )
  }
  const session = context.sessions.of(TerminalSession, () => new TerminalSession())
  const { stop, cancel } = context.signals
  const signal = cancel === undefined ? stop : AbortSignal.any([stop, cancel])
  return await run({ args, context, session, signal, deadline: performance.now() + context.timeoutS * 1000 })
})

/** Starts a terminal; one that is there gets the size that is asked for, and its recording is read from the start. */
async function start(visit: Visit): Promise<ToolResult> {
  const { args, session } = visit
  const running = session.terminal?.end === null ? session.terminal : null
  if (running !== null && running.network !== wantsNetwork(visit)) {
    return failed('Cannot change the network of a terminal that runs: stop it first', { stateful: true })
  }
  const terminal = running ?? (await open(visit))
  if ('success' in terminal) return terminal
  const { columns, rows } = terminal.size
  terminal.resize({ columns: args.pane_width ?? columns, rows: args.pane_height ?? rows })
  terminal.rewindRecording()
  const { size } = terminal
  return succeeded('started', { stateful: true, pane_width: size.columns, pane_height: size.rows })
}

async function sendKeys(visit: Visit): Promise<ToolResult> {
  const { args, context, signal } = visit
  const minMs = args.min_wait_s * 1000
  const leftMs = () => visit.deadline - performance.now()
  if (minMs > context.timeoutS * 1000) {
    const [wanted, allowed] = [pythonFloat(args.min_wait_s), pythonFloat(context.timeoutS)]
    return failed(`Cannot wait ${wanted}s: the call has ${allowed}s. Nothing was typed.`, { stateful: true })
  }
  const opened = await openIfNone(visit)
  if ('success' in opened) return opened
  const { end } = opened
  if (end !== null) {
    const code = end.exitCode === null ? `by ${end.signal}` : `with exit code ${end.exitCode}`
    const error = `Cannot send keys: the terminal's shell ended ${code}. Start it again.`
    return failed(error, { stateful: true, exit_code: end.exitCode })
  }
  // What it printed so far may say how it wants its keys.
  await opened.drawn()
  const keys = keysOf(args, opened)
  const text = keys.map((name) => encodeKey(name, opened.keyModes) ?? '').join('')
  if (!opened.type(text)) {
    return failed('Cannot send keys: 1 MiB of keys waits already, and the program does not read them', {
      stateful: true,
    })
  }
  const waited = args.block
    ? await opened.wait({ minMs, maxMs: Math.min((args.max_wait_s ?? Infinity) * 1000, leftMs()), signal })
    : await opened.pause(Math.min(minMs, leftMs()), signal)
  return sentResult(visit, waited, opened)
}

/** At the shell's own prompt, keys that are waited for are a command: Enter follows, when it is not there. */
function keysOf({ keys = [], block }: Args, terminal: Terminal): readonly string[] {
  const last = keys.at(-1)
  const isCommand = block && last !== undefined && !isKeyName(last) && !/[\r\n]$/.test(last)
  return isCommand && terminal.isShellInFront ? [...keys, 'Enter'] : keys
}

function sentResult({ args, context }: Visit, waited: WaitEnd, terminal: Terminal): ToolResult {
  const metadata = { stateful: true, blocked: args.block, ...endOf(terminal) }
  if (waited === 'aborted') return aborted(context, 'The keys were sent, their effect was not awaited')
  if (waited === 'time-over' && args.block) {
    const limitS = Math.min(args.max_wait_s ?? Infinity, context.timeoutS)
    const timeout = limitS === context.timeoutS ? { timeout: true } : {}
    return failed(`tmux blocked keys timed out after ${pythonFloat(limitS)}s`, { ...metadata, ...timeout })
  }
  return succeeded('ok', metadata)
}

async function capture(visit: Visit): Promise<ToolResult> {
  const opened = await openIfNone(visit)
  if ('success' in opened) return opened
  await opened.drawn()
  const { capture_entire } = visit.args
  const text = opened.lines(capture_entire).map((line) => `${line}\n`)
  const { output, isTruncated } = lastLines(text, baseLimits.outputCharacters)
  const truncated = isTruncated ? { truncated: true } : {}
  return succeeded(output, { stateful: true, capture_entire, ...truncated, ...endOf(opened) })
}

async function stream(visit: Visit): Promise<ToolResult> {
  const opened = await openIfNone(visit)
  if ('success' in opened) return opened
  await opened.drawn()
  const { reset, max_bytes } = visit.args
  if (reset) opened.rewindRecording()
  const part = opened.readRecording(max_bytes)
  const metadata = { stateful: true, stream: true }
  if (!part.ok) {
    return failed(`max_bytes ${max_bytes} is too few: the next line has ${part.nextBytes} bytes`, metadata)
  }
  const dropped = part.dropped === 0 ? {} : { dropped_bytes: part.dropped }
  return succeeded(part.text, { ...metadata, offset: part.offset, ...dropped, ...endOf(opened) })
}

async function stop({ session }: Visit): Promise<ToolResult> {
  await session.end()
  return succeeded('stopped', { stateful: true })
}

/** The slot's terminal, though its shell may have ended; it is started when none was. */
async function openIfNone(visit: Visit): Promise<Terminal | ToolResult> {
  return visit.session.terminal ?? (await open(visit))
}

/** Starts a terminal and waits for its shell's first prompt; or why there is none. */
async function open(visit: Visit): Promise<Terminal | ToolResult> {
  const { args, context, session, signal, deadline } = visit
  const { isolation, workspace, owner = null } = context
  const columns = args.pane_width ?? DEFAULT_SIZE.columns
  const rows = args.pane_height ?? DEFAULT_SIZE.rows
  await session.end()
  let terminal: Terminal
  try {
    // Loaded when there is use for it: its emulator is a fifth of what starting a server costs.
    const { Terminal } = await import('../terminal/terminal.ts')
    terminal = new Terminal(isolation, { workspace, owner }, wantsNetwork(visit), { columns, rows })
  } catch (thrown) {
    return notStarted(describeThrown(thrown))
  }
  session.terminal = terminal
  const waited = await terminal.wait({ minMs: 0, maxMs: Math.max(deadline - performance.now(), 0), signal })
  if (waited === 'waits-for-keys') return terminal
  const said = terminal.lines(true).join('\n').trim()
  await session.end()
  if (waited === 'ended') return notStarted(said)
  if (waited === 'aborted') return aborted(context, 'The terminal was not started')
  const error = `The terminal was not ready after ${pythonFloat(context.timeoutS)}s`
  return failed(error, { stateful: true, timeout: true })
}

function notStarted(reason: string): ToolResult {
  return { ...failed(`Terminal failed to start: ${reason}`, { stateful: true }), code: 'sandbox_failed' }
}

function aborted({ signals }: ToolContext, what: string): ToolResult {
  if (!signals.stop.aborted)
    return failed(`${what}: the call was cancelled`, { stateful: true, cancelled: true })
  return { ...failed(`${what}: the server stops`, { stateful: true }), code: 'interrupted' }
}

function wantsNetwork({ args, context }: Visit): boolean {
  return args.allow_network && context.network
}

/** What tells that the shell has ended. */
function endOf({ end }: Terminal): object {
  return end === null ? {} : { exit_code: end.exitCode }
}
