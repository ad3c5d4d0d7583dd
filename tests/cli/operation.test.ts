import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import * as v from 'valibot'
import { scrape } from '../server/scrape.ts'
import { ended, hasBubblewrap, isRunning, Place, startCli, startServe, until } from './support.ts'

const humaneval = resolve(import.meta.dir, '../../../shared/data/humaneval.calls.jsonl')

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place[Symbol.dispose]())

const summary = v.object({ calls: v.number(), succeeded: v.number(), posts: v.number(), resets: v.number() })

const finished = v.object({
  event: v.literal('call.finished'),
  execution_id: v.string(),
  outcome: v.string(),
})

function runAgainst(url: string) {
  const args = ['run', humaneval, '--container', url, '--out', 'results.jsonl', '--json']
  return startCli(args, { cwd: place.path })
}

describe.skipIf(!hasBubblewrap || !existsSync(humaneval))(
  'a server in operation (needs bubblewrap and ../shared)',
  () => {
    test('its metrics agree with the summary of the run', async () => {
      const server = await startServe(['--slots', '8'], { cwd: place.path })
      const run = await ended(runAgainst(server.url))
      expect(run.exitCode).toBe(0)
      const { calls, succeeded, posts, resets } = v.parse(summary, JSON.parse(run.stdout))
      const samples = scrape(await (await fetch(`${server.url}/metrics`)).text())
      const count = (name: string) => samples.get(`sandbox_slots_${name}`) ?? 0

      const perTool = ['bash', 'write_file'].map((tool) =>
        count(`call_duration_seconds_count{tool="${tool}"}`),
      )
      expect(perTool).toEqual([calls / 2, calls / 2])
      const outcomes = [...samples].filter(([key]) => key.startsWith('sandbox_slots_calls_total'))
      expect(Object.fromEntries(outcomes)).toEqual({
        'sandbox_slots_calls_total{tool="bash",outcome="succeeded"}': succeeded / 2,
        'sandbox_slots_calls_total{tool="write_file",outcome="succeeded"}': succeeded / 2,
      })
      expect(count('http_requests_total{route="/reset",status="200"}')).toBe(resets)
      expect(count('http_requests_total{route="/v2/batch",status="200"}')).toBe(posts)
      expect(count('sandboxes_ended_total{how="used"}')).toBe(calls / 2)
      expect(count('sandboxes_ended_total{how="failed"}')).toBe(0)
      const records = place.records('results.jsonl')
      const bytes = ['bash', 'write_file'].map((tool) => {
        const ofTool = records.filter((record) => record.tool === tool)
        return ofTool.reduce((sum, { metadata, output }) => sum + bytesOf(metadata, output), 0)
      })
      expect(count('output_bytes_total{tool="bash"}')).toBe(bytes[0] ?? -1)
      expect(count('output_bytes_total{tool="write_file"}')).toBe(bytes[1] ?? -1)
      server.child.kill('SIGTERM')
      expect(await server.child.exited).toBe(0)
    }, 60_000)

    test('SIGTERM in mid-run loses no finished result and leaves nothing behind', async () => {
      const args = ['--slots', '8', '--drain-timeout', '2', '--log-level', 'debug']
      const server = await startServe(args, { cwd: place.path })
      const log = new Response(server.child.stderr).text()
      const run = runAgainst(server.url)
      await until(() => place.lines('results.jsonl').length >= 40)
      server.child.kill('SIGTERM')
      expect(await server.child.exited).toBe(0)
      // It waits for the server to come back.
      run.kill('SIGINT')
      await run.exited

      const outcomes = new Map(
        place.records('results.jsonl').map((record) => [record.execution_id, record.outcome]),
      )
      const calls = (await log)
        .trim()
        .split('\n')
        .flatMap((line) => {
          const parsed = v.safeParse(finished, JSON.parse(line))
          return parsed.success ? [parsed.output] : []
        })
      const byItself = calls.filter(({ outcome }) => outcome === 'succeeded' || outcome === 'failed')
      expect(byItself.length).toBeGreaterThanOrEqual(40)
      expect(byItself.length).toBeLessThan(328)
      for (const { execution_id } of byItself) expect(outcomes.get(execution_id)).toBe('exited')
      // Nobody is left to guess: what did not end by itself was cut by the server, or never ran.
      const cut = calls.filter(({ outcome }) => outcome === 'interrupted').length
      expect([...outcomes.values()].filter((outcome) => outcome === 'unknown').length).toBe(cut)

      expect(place.leftovers).toEqual([])
      expect(isRunning(join(place.path, 'temporary'))).toBe(false)
      expect(await fetch(`${server.url}/health`).catch(() => 'refused')).toBe('refused')
    }, 90_000)
  },
)

/** What the tool printed, as the answer tells it. */
function bytesOf({ stdout_bytes, stderr_bytes }: Readonly<Record<string, unknown>>, output: string): number {
  if (typeof stdout_bytes === 'number' && typeof stderr_bytes === 'number') return stdout_bytes + stderr_bytes
  return Buffer.byteLength(output)
}
