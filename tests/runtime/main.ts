/** Runs the suite in a process of its own: settings as JSON in argument 1, the report as JSON on stdout. */
import process from 'node:process'
import * as core from '../../mod.ts'
import { settingsFrom } from './settings.ts'
import { smoke } from './smoke.ts'

const report = await smoke(core, settingsFrom(process.argv[2]))
console.log(JSON.stringify(report))
