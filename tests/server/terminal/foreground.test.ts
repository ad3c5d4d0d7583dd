import { expect, test } from 'bun:test'
import { tmpdir } from 'node:os'
import { activityBelow, isShellInFront } from '../../../src/server/terminal/foreground.ts'
import { Pty } from '../../../src/server/terminal/pty.ts'
import { eventually } from '../support.ts'

/** A shell at a terminal, without a sandbox. */
function shell() {
  const place = { workspace: tmpdir(), owner: null }
  const pty = new Pty({ kind: 'none', run: 'a test' }, place, false, { columns: 80, rows: 24 }, () => {})
  return { pty, [Symbol.asyncDispose]: () => pty.kill() }
}

test('what the programs in front do is told by the kernel', async () => {
  await using at = shell()
  const { pty } = at
  const becomes = (activity: string, isShell: boolean) =>
    eventually(() => activityBelow(pty.pid) === activity && isShellInFront(pty.pid, false) === isShell)
  const interrupt = async () => {
    pty.write('\x03')
    expect(await becomes('asleep', true)).toBe(true)
    expect(await eventually(() => pty.takesKeys)).toBe(true)
  }
  expect(await eventually(() => pty.takesKeys)).toBe(true)
  expect(await becomes('asleep', true)).toBe(true)
  pty.write('cat\r')
  expect(await becomes('reading', false)).toBe(true)
  await interrupt()
  pty.write('sleep 1000\r')
  expect(await becomes('asleep', false)).toBe(true)
  await interrupt()
  pty.write('sh -c "while :; do :; done"\r')
  expect(await becomes('busy', false)).toBe(true)
  await interrupt()
  pty.write('read line\r')
  expect(await becomes('reading', true)).toBe(true)
  await interrupt()
  // What works in the background is nobody to wait for.
  pty.write('sh -c "while :; do :; done" &\r')
  expect(await becomes('asleep', true)).toBe(true)
})
