import { expect, test } from 'bun:test'
import { crash, crashModes } from '../campaign/sandbox-crash.ts'
import { hasBubblewrap } from './support.ts'

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
