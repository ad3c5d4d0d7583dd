/** The suite in a worker: settings in the body of the request, the report in the answer. */
import * as core from '../../mod.ts'
import { settingsFrom } from './settings.ts'
import { smoke } from './smoke.ts'

const worker = {
  fetch: async (request: Request): Promise<Response> =>
    Response.json(await smoke(core, settingsFrom(await request.text()))),
}

// biome-ignore lint/style/noDefaultExport: a worker is the default export of its module
export default worker
