import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Alarm } from '../../src/server/sandbox/alarm.ts'
import { type Reading, readFd } from '../../src/server/sandbox/collect-output.ts'
import { InteractiveShell } from '../../src/server/stateful/interactive-shell.ts'
import { eventually } from './support.ts'

const workspaces: string[] = []
afterEach(() => {
  for (const workspace of workspaces.splice(0)) rmSync(workspace, { recursive: true })
})

/** Told of the shell's greeting at once, and of what it says then when it has ended: as late as can be. */
function lateReader() {
  const held: Uint8Array<ArrayBuffer>[] = []
  let isGreeted = false
  const read: typeof readFd = (fd, push): Reading => {
    const reading = readFd(fd, (chunk) => {
      if (isGreeted) held.push(chunk)
      else push(chunk)
      isGreeted ||= textOf([chunk]).includes(' ready')
    })
    const ended = reading.ended.then(async () => {
      await Bun.sleep(50)
      for (const chunk of held) push(chunk)
    })
    return { ended, cancel: reading.cancel }
  }
  return { read, said: () => textOf(held) }
}

const textOf = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString()

function open() {
  const workspace = mkdtempSync(join(tmpdir(), 'interactive-'))
  workspaces.push(workspace)
  const { read, said } = lateReader()
  const place = { workspace, owner: null }
  const shell = new InteractiveShell({ isolation: { kind: 'none', run: 'x' }, place, network: false }, read)
  const run = async (command: string) => {
    using alarm = new Alarm({ timeoutMs: 20_000 }, { stop: new AbortController().signal })
    return await shell.run(command, alarm)
  }
  return { workspace, said, run }
}

test.each([
  ['kill -9 $$', 137],
  ['exit 3', 3],
  ['exec sh -c "exit 5"', 5],
])(
  'a shell that took its command and died of it (%s) before that was heard has run it',
  async (command, exitCode) => {
    const end = { kind: 'exited', exitCode }
    expect(await open().run(command)).toMatchObject({ hasTaken: true, end })
  },
)

test('a shell that was killed when its command had ended, before that was heard, tells how it ended', async () => {
  const { workspace, said, run } = open()
  const running = run('echo $$ > pid; (exit 4)')
  expect(await eventually(() => said().includes(' done '))).toBe(true)
  process.kill(Number(readFileSync(join(workspace, 'pid'), 'utf8')), 'SIGKILL')
  expect(await running).toMatchObject({ hasTaken: true, end: { kind: 'exited', exitCode: 4 } })
})
