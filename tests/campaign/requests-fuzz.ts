/** Row 16, long form: `bun tests/campaign/requests-fuzz.ts [rounds]`. Damaged requests; none runs, all are answered. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { createSandbox } from '../../src/server/sandbox.ts'
import { bodyOf } from '../server/differences.ts'
import { damaged, faultOf, routes, wrongCalls } from '../server/requests-cases.ts'
import { vectors } from '../support/vectors.ts'

const rounds = Number(process.argv[2] ?? 20_000)
const directory = mkdtempSync(join(tmpdir(), 'requests-fuzz-'))
const witness = join(directory, 'witness')
const sandbox = await createSandbox({ isolation: 'none', slots: 4 })
const statuses = new Map<number, number>()
let wrongAccepted = 0

async function send(path: string, text: string) {
  const response = await sandbox.handler(
    new Request(`http://127.0.0.1${path}`, { method: 'POST', body: Buffer.from(text) }),
  )
  statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
  return { status: response.status, text: await response.text() }
}

/** Throws, and tells the smallest counterexample, for an answer that the protocol does not know. */
async function fuzz(texts: fc.Arbitrary<string>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...routes), texts, async (path, body) => {
      const { status, text } = await send(path, body)
      const fault = faultOf(path, status, text)
      if (fault !== null) throw new Error(`${path} ${body} → ${fault}`)
    }),
    { numRuns: rounds },
  )
}

try {
  await fc.assert(
    fc.asyncProperty(wrongCalls(`echo ran >> ${witness}`), async ({ fields }) => {
      if ((await send('/execute', JSON.stringify(fields))).status !== 400) wrongAccepted += 1
    }),
    { numRuns: rounds },
  )
  await fuzz(fc.jsonValue().map((value) => JSON.stringify(value)))
  // Nothing that is broken into pieces may be a command.
  const bodies = vectors
    .map(bodyOf)
    .filter((body) => body !== null && body.length < 10_000 && !body.includes('"bash'))
  const recorded = bodies.filter((body) => body !== null)
  if (recorded.length > 0) await fuzz(damaged(recorded))
  const runs = existsSync(witness) ? readFileSync(witness, 'utf8').split('\n').length - 1 : 0
  const told = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
  console.log(
    `requests ${[...statuses.values()].reduce((sum, count) => sum + count, 0)} (${told.join(', ')})`,
  )
  console.log(`wrong requests accepted ${wrongAccepted}, lines in the witness ${runs}, unknown answers 0`)
  if (wrongAccepted > 0 || runs > 0) process.exitCode = 1
} finally {
  await sandbox.stop()
  rmSync(directory, { recursive: true })
}
