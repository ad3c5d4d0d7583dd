import { expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isShellInFront } from '../../../src/server/terminal/foreground.ts'
import { Pty } from '../../../src/server/terminal/pty.ts'
import { eventually } from '../support.ts'

const size = { columns: 80, rows: 24 }

/** A shell at a terminal, without a sandbox, and how many bytes it has printed. */
async function shell() {
  const workspace = await mkdtemp(join(tmpdir(), 'sandbox-slots-pty-'))
  const printed = { bytes: 0, text: '' }
  const pty = new Pty({ kind: 'none', run: 'a test' }, { workspace, owner: null }, false, size, (chunk) => {
    printed.bytes += chunk.length
    if (printed.bytes < 100_000) printed.text += Buffer.from(chunk).toString('latin1')
  })
  expect(await eventually(() => printed.text.includes('$ '))).toBe(true)
  return {
    pty,
    printed,
    [Symbol.asyncDispose]: async () => {
      await pty.kill()
      await rm(workspace, { recursive: true, force: true })
    },
  }
}

test('a program that is held prints no more, until it may go on', async () => {
  await using at = await shell()
  const { pty, printed } = at
  pty.write('yes\r')
  expect(await eventually(() => printed.bytes > 200_000)).toBe(true)
  pty.hold(true)
  let before = -1
  expect(
    await eventually(() => {
      const isStill = printed.bytes === before
      before = printed.bytes
      return isStill
    }),
  ).toBe(true)
  await Bun.sleep(100)
  expect(printed.bytes).toBe(before)
  pty.hold(false)
  expect(await eventually(() => printed.bytes > before)).toBe(true)
})

test('a program that is held can be killed', async () => {
  await using at = await shell()
  at.pty.write('yes\r')
  expect(await eventually(() => at.printed.bytes > 200_000)).toBe(true)
  at.pty.hold(true)
  await at.pty.kill()
  expect((await at.pty.ended).signal).toBe('SIGKILL')
})

test('what no program reads is counted, and what one has read is not', async () => {
  await using at = await shell()
  const { pty, printed } = at
  pty.write('stty raw -echo; echo r""aw; head -c 100000 | wc -c; stty sane\r')
  expect(await eventually(() => printed.text.includes('raw\n'))).toBe(true)
  pty.write('x'.repeat(100_000))
  expect(pty.unsentBytes).toBe(100_000)
  expect(await eventually(() => pty.unsentBytes === 0)).toBe(true)
  expect(await eventually(() => printed.text.includes('100000\n'))).toBe(true)
})

test('it tells whether a program takes single keys, and ends with what the shell ends with', async () => {
  await using at = await shell()
  const { pty } = at
  expect(await eventually(() => pty.takesKeys)).toBe(true)
  pty.write('sleep 1000\r')
  expect(await eventually(() => !pty.takesKeys && !isShellInFront(pty.pid, false))).toBe(true)
  pty.write('\x03')
  expect(await eventually(() => pty.takesKeys)).toBe(true)
  pty.write('exit 7\r')
  expect(await pty.ended).toEqual({ exitCode: 7, signal: null })
  pty.write('to nobody')
})
