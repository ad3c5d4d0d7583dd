import { expect, test } from 'bun:test'
import { type Session, Sessions } from '../../src/server/sessions.ts'

class Shell implements Session {
  isEnded = false

  async end(): Promise<void> {
    await Bun.sleep(0)
    this.isEnded = true
  }
}

class Terminal extends Shell {}

test('a slot has one session of each kind, until they end', async () => {
  const sessions = new Sessions()
  const shell = sessions.of(Shell, () => new Shell())
  const terminal = sessions.of(Terminal, () => new Terminal())
  expect(sessions.of(Shell, () => new Shell())).toBe(shell)
  expect(sessions.of(Terminal, () => new Terminal())).toBe(terminal)
  await sessions.end()
  expect([shell.isEnded, terminal.isEnded]).toEqual([true, true])
  expect(sessions.of(Shell, () => new Shell())).not.toBe(shell)
})
