import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import * as v from 'valibot'
import { Presses } from '../../src/cli/interruption.ts'
import { anyIsolation, bashCall, ended, isRunning, Place, startCli, startServe, until } from './support.ts'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place[Symbol.dispose]())

/** A command that can be found among all processes. */
function sleeping(): { command: string; mark: string } {
  const mark = `sleep 60.${Math.floor(Math.random() * 1e9)}`
  return { command: mark, mark }
}

const resultsArgs = ['run', 'calls.jsonl', '--slots', '2', '--out', 'results.jsonl']

test('one press of Ctrl-C under npm comes twice, and counts once', () => {
  const presses = new Presses()
  expect([1_000, 1_002, 1_250, 1_900, 1_903, 2_500].map((at) => presses.press(at))).toEqual([
    1,
    'same',
    'same',
    2,
    'same',
    3,
  ])
})

describe('a signal in mid-run', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s ends it with what ended in the file, and nothing is left',
    async (signal, code) => {
      const { command, mark } = sleeping()
      place.writeLines('calls.jsonl', [
        bashCall('a', 'echo one'),
        bashCall('a', command, 600),
        bashCall('a', 'echo never'),
        bashCall('b', 'echo two'),
        bashCall('b', command, 600),
        bashCall('c', 'echo never'),
      ])
      const child = startCli([...resultsArgs, ...anyIsolation], { cwd: place.path })
      await until(() => place.lines('results.jsonl').length === 2 && isRunning(mark))
      child.kill(signal)
      const { exitCode, stdout, stderr } = await ended(child)
      expect(exitCode).toBe(code)
      expect(stderr).toContain(`${signal}: what runs has 2 s to end; a second one ends at once`)
      expect(
        place
          .records('results.jsonl')
          .map(({ index }) => index)
          .toSorted(),
      ).toEqual([0, 3])
      expect(stdout).toMatch(/^without result +4 of 6 calls$/m)
      expect(isRunning(mark)).toBe(false)
      expect(place.leftovers).toEqual([])
    },
    20_000,
  )

  test('can be resumed after it', async () => {
    place.writeLines('calls.jsonl', [
      bashCall('a', 'echo one'),
      bashCall('b', 'echo two'),
      bashCall('b', '[[ -e ../../go ]] || sleep 600', 600),
    ])
    const args = [...resultsArgs, '--isolation', 'none']
    const child = startCli(args, { cwd: place.path })
    await until(() => place.lines('results.jsonl').length === 2)
    child.kill('SIGINT')
    expect((await ended(child)).exitCode).toBe(130)
    place.write('temporary/go', '')
    const again = await ended(startCli([...args, '--resume', '--json'], { cwd: place.path }))
    expect(JSON.parse(again.stdout)).toMatchObject({ calls: 3, succeeded: 3, from_before: 1 })
    expect(
      place
        .records('results.jsonl')
        .map(({ index }) => index)
        .toSorted(),
    ).toEqual([0, 1, 2])
    expect(again.exitCode).toBe(0)
  }, 20_000)

  test('a second one, after a moment, ends at once', async () => {
    const { command, mark } = sleeping()
    place.writeLines('calls.jsonl', [bashCall('a', command, 600)])
    const server = await startServe(['--drain-timeout', '86400', ...anyIsolation], { cwd: place.path })
    const child = startCli(['run', 'calls.jsonl', '--container', server.url], { cwd: place.path })
    await until(() => isRunning(mark))
    child.kill('SIGINT')
    await Bun.sleep(500)
    child.kill('SIGINT')
    const { exitCode, stdout } = await ended(child)
    expect({ exitCode, stdout }).toEqual({ exitCode: 130, stdout: '' })

    // The server goes on with what it was given, until it is told again.
    server.child.kill('SIGINT')
    await Bun.sleep(500)
    expect(isRunning(mark)).toBe(true)
    server.child.kill('SIGINT')
    expect(await server.child.exited).toBe(0)
    expect(isRunning(mark)).toBe(false)
    expect(place.leftovers).toEqual([])
  }, 20_000)
})

describe('a server that is killed in mid-run', () => {
  test('leaves every call with a line that says why', async () => {
    const [one, other] = [sleeping(), sleeping()]
    const server = await startServe(['--slots', '2', ...anyIsolation], { cwd: place.path })
    place.writeLines('calls.jsonl', [
      bashCall('a', 'echo one'),
      bashCall('a', one.command, 600),
      bashCall('a', 'echo never'),
      bashCall('b', 'echo two'),
      bashCall('b', other.command, 600),
      bashCall('c', 'echo never'),
      bashCall('d', 'echo never'),
    ])
    const args = ['run', 'calls.jsonl', '--container', server.url, '--out', 'results.jsonl']
    const child = startCli(args, { cwd: place.path })
    await until(() => isRunning(one.mark) && isRunning(other.mark))
    server.child.kill('SIGKILL')
    const { exitCode, stdout, stderr } = await ended(child)

    const records = place.records('results.jsonl').toSorted((a, b) => a.index - b.index)
    expect(records.map(({ index, outcome }) => `${index} ${outcome}`)).toEqual([
      '0 exited',
      '1 unknown',
      '2 not-run',
      '3 exited',
      '4 unknown',
      '5 not-run',
      '6 not-run',
    ])
    for (const { outcome, error } of records) if (outcome !== 'exited') expect(error).not.toBe('')
    expect(records[2]?.error).toStartWith(
      'Not run: the call of index 1, earlier in this trajectory, ended as unknown',
    )
    // Which is seen first: that its slots cannot be reset, or that the container says nothing.
    expect(records[6]?.error).toMatch(
      /no slot is left \((the reset of slot_.* failed|container .* is lost): /,
    )
    expect(stderr).toContain(
      '5 calls did not run, or nobody knows whether they ran. To run their trajectories',
    )
    expect(stdout).toMatch(/^not-run +3 +0 +3$/m)
    expect(exitCode).toBe(1)
  }, 30_000)
})

test('a signal to npm start ends the server too', async () => {
  const words = ['npm', 'start', '--silent', '--', 'serve', ...anyIsolation]
  const cwd = join(import.meta.dir, '../..')
  const env = { ...process.env, TMPDIR: place.path }
  const child = Bun.spawn(words, { cwd, env, stdout: 'ignore', stderr: 'pipe' })
  const { value } = await child.stderr.getReader().read()
  const { pid } = v.parse(v.object({ pid: v.number() }), JSON.parse(new TextDecoder().decode(value)))
  child.kill('SIGTERM')
  await child.exited
  // npm may be gone a moment before its child.
  const isThere = () => existsSync(`/proc/${pid}`)
  for (let looks = 0; looks < 500 && isThere(); looks++) await Bun.sleep(10)
  const isLeft = isThere()
  if (isLeft) process.kill(pid, 'SIGKILL')
  expect(isLeft).toBe(false)
}, 20_000)
