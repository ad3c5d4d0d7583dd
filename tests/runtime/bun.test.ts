import { test } from 'bun:test'
import * as core from '../../mod.ts'
import { smoke } from './smoke.ts'
import { expectGreen, patience, settingsFor, startServer } from './support.ts'

test(
  'the core works in Bun',
  async () => {
    await using server = await startServer()
    expectGreen(await smoke(core, await settingsFor(server)))
  },
  patience,
)
