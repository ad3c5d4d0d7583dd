/** A terminal of a sandbox, as tests drive it. */
import { expect } from 'bun:test'
import * as v from 'valibot'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { Screen } from '../../src/server/terminal/screen.ts'
import { execute } from './support.ts'

export function tmux(sandbox: Sandbox, action: string, args: object = {}, more: object = {}) {
  return execute(sandbox, 'tmux', { action, ...args }, more)
}

/** Types keys, waits until a program waits for more, and answers what is on the screen then, without its empty end. */
export async function run(sandbox: Sandbox, keys: string | string[], more: object = {}): Promise<string> {
  const sent = await tmux(sandbox, 'send_keys', { keys, block: true }, more)
  expect(sent).toMatchObject({ success: true, output: 'ok', metadata: { stateful: true, blocked: true } })
  return (await screen(sandbox, more)).trimEnd()
}

export async function screen(sandbox: Sandbox, more: object = {}): Promise<string> {
  const { output } = await tmux(sandbox, 'capture', {}, more)
  return output
}

const header = v.object({ version: v.literal(2), width: v.number(), height: v.number() })
const event = v.tuple([v.number(), v.picklist(['o', 'r']), v.string()])

/** Plays a recording, as a player of asciicasts does: the screen at its end. */
export async function replay(recording: string): Promise<string> {
  const [first = '', ...lines] = recording.split('\n').slice(0, -1)
  const { width, height } = v.parse(header, JSON.parse(first))
  const screen = new Screen({ columns: width, rows: height }, () => {})
  let now = 0
  for (const line of lines) {
    const [time, kind, data] = v.parse(event, JSON.parse(line))
    expect(time).toBeGreaterThanOrEqual(now)
    now = time
    if (kind === 'o') await screen.draw(data)
    else {
      const [columns = 0, rows = 0] = data.split('x').map(Number)
      screen.resize({ columns, rows })
    }
  }
  return screen
    .lines(false)
    .map((line) => `${line}\n`)
    .join('')
}

/** The whole recording, in answers of at most `maxBytes`. */
export async function recordingOf(sandbox: Sandbox, maxBytes = 50_000): Promise<string> {
  let text = ''
  for (let reset = true; ; reset = false) {
    const { success, error, output } = await tmux(sandbox, 'stream', { reset, max_bytes: maxBytes })
    expect([success, error]).toEqual([true, ''])
    expect(Buffer.byteLength(output)).toBeLessThanOrEqual(maxBytes)
    if (output === '') return text
    text += output
  }
}
