/** Sandboxes that are not ready when they should be: no time of their call passes, and none that did not run timed out. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Isolation } from '../../src/server/sandbox/isolation.ts'
import { prepareIsolation } from '../../src/server/sandbox/prepare-isolation.ts'
import { ReadyShells } from '../../src/server/sandbox/ready-shells.ts'
import { runCommand } from '../../src/server/sandbox/run-command.ts'
import { StatefulShell } from '../../src/server/stateful/stateful-shell.ts'
import { eventually, hasBubblewrap, insideOf } from './support.ts'

describe.skipIf(!hasBubblewrap)('a sandbox that is slow', () => {
  const notReady = { kind: 'not-started', reason: 'it was not ready in time' } as const
  const signals = { stop: new AbortController().signal }
  const MiB = 2 ** 20
  let dir: string
  let slow: string
  let place: { workspace: string; owner: null }
  let isolation: Isolation
  const hasRun = () => existsSync(join(place.workspace, 'has-run'))
  const request = { command: 'touch has-run; sleep 60', startMs: 50, timeoutMs: 20_000, network: false }

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slow-'))
    const bwrapPath = join(dir, 'bwrap')
    slow = join(dir, 'slow')
    place = { workspace: join(dir, 'slot_0'), owner: null }
    mkdirSync(place.workspace)
    writeFileSync(bwrapPath, `#!/bin/sh\nwhile [ -e ${slow} ]; do sleep 0.01; done\nexec bwrap "$@"\n`)
    chmodSync(bwrapPath, 0o755)
    isolation = await prepareIsolation({
      kind: 'bubblewrap',
      run: crypto.randomUUID(),
      systemDir: dir,
      limits: { tmpBytes: MiB, processes: 64, memoryBytes: 4096 * MiB, fileBytes: MiB, openFiles: 64 },
      network: false,
      bwrapPath,
      owner: null,
      hiddenDataDir: null,
    })
    writeFileSync(slow, '')
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  test('and too slow: its call has not run, and is not told as timed out', async () => {
    const shells = new ReadyShells(isolation)
    const { end } = await runCommand(shells, place, request, signals)
    expect(end).toEqual(notReady)
    rmSync(slow)
    await shells.close()
    expect(hasRun()).toBe(false)
  })

  test('takes none of the time of its call', async () => {
    const shells = new ReadyShells(isolation)
    setTimeout(() => rmSync(slow), 300)
    const { end } = await runCommand(shells, place, { ...request, startMs: 120_000, timeoutMs: 100 }, signals)
    expect(end).toEqual({ kind: 'timed-out' })
    await shells.close()
    expect(hasRun()).toBe(true)
  })

  test('that stands still while it waits is not followed by another when the time is over', async () => {
    rmSync(slow)
    const made: string[] = []
    const shells = new ReadyShells(isolation, undefined, ({ type }) => made.push(type))
    shells.warm(place)
    expect(await eventually(() => insideOf(place.workspace).length >= 2)).toBe(true)
    for (const pid of insideOf(place.workspace)) process.kill(Number(pid), 'SIGSTOP')
    const { end } = await runCommand(shells, place, request, signals)
    expect(end).toEqual(notReady)
    await shells.close()
    expect(made).toEqual(['sandbox.started', 'sandbox.ended'])
    expect(hasRun()).toBe(false)
  })

  test('under a shell that stays: the same', async () => {
    const shell = new StatefulShell(isolation, place)
    expect((await shell.run(request, signals)).end).toEqual(notReady)
    setTimeout(() => rmSync(slow), 300)
    const time = { startMs: 120_000, timeoutMs: 100 }
    const { end, isRestarted } = await shell.run({ ...request, ...time }, signals)
    expect([end, isRestarted]).toEqual([{ kind: 'timed-out' }, false])
    expect(hasRun()).toBe(true)
    await shell.end()
  })
})
