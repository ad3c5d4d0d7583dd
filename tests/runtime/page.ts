/** The suite in a page: settings in the global `runSmoke`'s argument, the report in its answer, as JSON both. */
import * as core from '../../mod.ts'
import { settingsFrom } from './settings.ts'
import { smoke } from './smoke.ts'

Object.assign(globalThis, {
  runSmoke: async (settings: string) => JSON.stringify(await smoke(core, settingsFrom(settings))),
})
