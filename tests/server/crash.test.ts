import { expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crash, crashModes, left, startVictim } from '../campaign/sandbox-crash.ts'
import { eventually, hasBubblewrap } from './support.ts'

/** The campaign does it 40 times. */
const TIMES = 3

for (const mode of crashModes) {
  test.skipIf(!hasBubblewrap)(
    `kill -9 of the server leaves no process: ${mode}`,
    async () => {
      expect(await crash(mode, TIMES)).toEqual([])
    },
    30_000,
  )
}

test.skipIf(!hasBubblewrap)(
  'kill -9 of the server while a sandbox is made for a call: the call does not run',
  async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'sandbox-crash-'))
    const slow = join(dataDir, 'slow')
    // Every sandbox is still being made when the server dies, and what it prints finds a reader even then: threads of a
    // server that dies on a busy machine hold its pipes for a while.
    writeFileSync(slow, '#!/bin/sh\nexec 9< /proc/self/fd/1\nsleep 1\nexec bwrap "$@"\n')
    chmodSync(slow, 0o755)
    try {
      const child = await startVictim('load', dataDir, slow)
      await Bun.sleep(300)
      child.kill('SIGKILL')
      await child.exited
      expect(left(dataDir)).not.toEqual([])
      expect(await eventually(() => left(dataDir).length === 0)).toBe(true)
      expect([0, 1, 2, 3].filter((slot) => existsSync(join(dataDir, `slot_${slot}`, 'ran')))).toEqual([])
    } finally {
      rmSync(dataDir, { recursive: true, force: true })
    }
  },
  30_000,
)
