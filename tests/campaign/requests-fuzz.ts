/**
 * Promise 16: damaged requests, those of the extended protocol too; none runs, all are answered as the protocol says.
 * `bun tests/campaign/requests-fuzz.ts [rounds]`, each of three kinds
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { createSandbox } from '../../src/server/sandbox.ts'
import { damaged, faultOf, recordedBodies, routes, wrongCalls } from '../server/requests-cases.ts'
import { baseUrl } from '../server/support.ts'
import { healthOf } from '../server/v2-support.ts'
import { atLeast, type Check, exactly, runAlone } from './check.ts'

export const requestsFuzz: Check = {
  name: 'requests-fuzz',
  row: '16',
  unit: 'rounds',
  sizes: { full: 20_000, quick: 400 },
  run: async (rounds) => {
    const directory = mkdtempSync(join(tmpdir(), 'requests-fuzz-'))
    const witness = join(directory, 'witness')
    const sandbox = await createSandbox({ isolation: 'none', slots: 4 })
    const headers = { 'if-ledger': (await healthOf(sandbox)).ledger ?? '' }
    const statuses = new Map<number, number>()
    const wrongs: string[] = []
    let accepted = 0

    const send = async (path: string, text: string) => {
      const init = { method: 'POST', headers, body: Buffer.from(text) }
      const response = await sandbox.handler(new Request(baseUrl + path, init))
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
      return { status: response.status, text: await response.text() }
    }
    const fuzz = async (texts: fc.Arbitrary<string>) => {
      const property = fc.asyncProperty(fc.constantFrom(...routes), texts, async (path, body) => {
        const { status, text } = await send(path, body)
        const fault = faultOf(path, status, text)
        if (fault !== null) throw new Error(`${path} ${body} → ${fault}`)
      })
      const { failed, counterexample, errorInstance } = await fc.check(property, { numRuns: rounds })
      if (failed) wrongs.push(`${fc.stringify(counterexample)}: ${errorInstance}`)
    }

    try {
      const refused = fc.asyncProperty(wrongCalls(`echo ran >> ${witness}`), async ({ fields }) => {
        if ((await send('/execute', JSON.stringify(fields))).status !== 400) accepted += 1
      })
      await fc.assert(refused, { numRuns: rounds })
      await fuzz(fc.jsonValue().map((value) => JSON.stringify(value)))
      await fuzz(damaged(recordedBodies()))
      const runs = existsSync(witness) ? readFileSync(witness, 'utf8').split('\n').length - 1 : 0
      const told = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} × ${status}`)
      const sent = [...statuses.values()].reduce((sum, count) => sum + count, 0)
      return {
        done: `${sent} requests with wrong fields, of any JSON, or of recorded ones that were damaged: ${told.join(', ')}`,
        figures: [
          exactly('wrong ones accepted', accepted, 0),
          exactly('lines in the witness', runs, 0),
          exactly('answers that the protocol does not know', wrongs.length, 0),
          atLeast('requests', sent, 3 * rounds),
        ],
        wrongs,
      }
    } finally {
      await sandbox.stop()
      rmSync(directory, { recursive: true })
    }
  },
}

if (import.meta.main) await runAlone(requestsFuzz)
