import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { anyIsolation, bashCall, cli, hasBubblewrap, Place, startServe, type TestRecord } from './support.ts'

let place: Place
beforeEach(() => {
  place = new Place()
})
afterEach(() => place[Symbol.dispose]())

const humaneval = resolve(import.meta.dir, '../../../shared/data/humaneval.calls.jsonl')

/** A machine without bubblewrap: `serve` and `run` look for it on the PATH. */
const withoutBubblewrap = { PATH: '/nonexistent' }

function job(trajectories: number): object[] {
  return Array.from({ length: trajectories }, (_, index) => [
    { trajectory: `t${index}`, tool: 'write_file', args: { path: 'name', content: `t${index}` } },
    bashCall(`t${index}`, 'ls | wc -l; cat name', 20),
  ]).flat()
}

/** Every trajectory in order, in one slot, in a workspace that was empty. */
function expectWhole(records: readonly TestRecord[], calls: number): void {
  expect(records.map(({ index }) => index).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: calls }, (_, i) => i),
  )
  for (const [, ofIt] of Map.groupBy(records, ({ trajectory }) => trajectory)) {
    expect(new Set(ofIt.map(({ container, slot_id }) => `${container} ${slot_id}`)).size).toBe(1)
    expect(ofIt.map(({ index }) => index)).toEqual(ofIt.map(({ index }) => index).toSorted((a, b) => a - b))
  }
}

describe('the bundled job', () => {
  test.skipIf(!hasBubblewrap)('runs in sandboxes and shows what each trajectory came to', async () => {
    const { exitCode, stdout, stderr } = await cli([], { cwd: place.path })
    expect(stdout).toContain('fix-a-bug         test passed: 1 + 2 + 3 is 6\n')
    expect(stdout).toMatch(/^all +25 +25 +0$/m)
    expect(stdout).toMatch(/^trajectories +10 in 8 slots$/m)
    expect(stderr).toContain('25 of 25 calls ended\n')
    expect(stderr).not.toContain('Warning')
    expect(exitCode).toBe(0)
    expect(place.leftovers).toEqual([])
  })

  test('runs without bubblewrap after a warning that says how to install it', async () => {
    const { exitCode, stdout, stderr } = await cli(['run', '--json'], {
      cwd: place.path,
      env: withoutBubblewrap,
    })
    expect(stderr).toStartWith('Warning: bubblewrap does not work here (the program bwrap was not found). ')
    expect(stderr).toContain('`apt-get install bubblewrap`')
    expect(JSON.parse(stdout)).toMatchObject({
      calls: 25,
      succeeded: 25,
      failed: 0,
      trajectories: 10,
      slots: 8,
    })
    expect(exitCode).toBe(0)
    expect(place.leftovers).toEqual([])
  })

  test('does not go on without bubblewrap when it was asked for by name', async () => {
    const args = ['run', '--isolation', 'bubblewrap']
    const { exitCode, stderr } = await cli(args, { cwd: place.path, env: withoutBubblewrap })
    expect(stderr).toStartWith('error: Cannot start the sandbox server: bubblewrap does not work here')
    expect(exitCode).toBe(2)
  })
})

describe('without bubblewrap', () => {
  test.each([[['run', 'calls.jsonl', '--out', 'results.jsonl']], [['serve']]])(
    '%j is refused',
    async (args) => {
      place.writeLines('calls.jsonl', [bashCall('a', 'touch ../witness')])
      const { exitCode, stdout, stderr } = await cli(args, { cwd: place.path, env: withoutBubblewrap })
      expect(stderr).toBe(
        'error: Cannot start the sandbox server: bubblewrap does not work here (the program bwrap was not found); ' +
          'install it with `apt-get install bubblewrap`, or give --isolation none to run commands without a sandbox\n',
      )
      expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
      expect(existsSync(join(place.path, 'results.jsonl'))).toBe(false)
      expect(place.leftovers).toEqual([])
    },
  )

  test('a file runs when --isolation none is given', async () => {
    place.writeLines('calls.jsonl', job(2))
    const args = ['run', 'calls.jsonl', '--isolation', 'none']
    const { exitCode, stdout } = await cli(args, { cwd: place.path, env: withoutBubblewrap })
    expect(stdout).toMatch(/^all +4 +4 +0$/m)
    expect(exitCode).toBe(0)
  })
})

describe('a calls file', () => {
  test('runs, and every call has its line in the results file', async () => {
    place.writeLines('calls.jsonl', job(6))
    place.write('results.jsonl', 'lines of before\n')
    const args = ['run', 'calls.jsonl', '--slots', '2', '--out', 'results.jsonl', ...anyIsolation]
    const { exitCode, stdout } = await cli(args, { cwd: place.path })
    const records = place.records('results.jsonl')
    expectWhole(records, 12)
    for (const { tool, output, trajectory, success, outcome } of records) {
      if (tool === 'bash')
        expect({ output, success, outcome }).toEqual({
          output: `1\n${trajectory}`,
          success: true,
          outcome: 'exited',
        })
    }
    expect(new Set(records.map(({ slot_id }) => slot_id))).toEqual(new Set(['slot_0', 'slot_1']))
    expect(stdout).toMatch(/^posts +\d+ \(and 4 resets\)$/m)
    expect(exitCode).toBe(0)
    expect(place.leftovers).toEqual([])
  })

  test('with tools that fail and time out ends with exit code 0: all calls ran', async () => {
    place.writeLines('calls.jsonl', [
      bashCall('a', 'echo no >&2; exit 3'),
      bashCall('a', 'sleep 300', 0.2),
      bashCall('a', 'echo after'),
    ])
    const args = ['run', 'calls.jsonl', '--out', 'results.jsonl', '--json', ...anyIsolation]
    const { exitCode, stdout } = await cli(args, { cwd: place.path })
    expect(
      place.records('results.jsonl').map(({ outcome, success, error }) => [outcome, success, error]),
    ).toEqual([
      ['exited', false, 'Exit code: 3'],
      ['timed-out', false, 'Command timed out after 0.2s'],
      ['exited', true, ''],
    ])
    expect(JSON.parse(stdout)).toMatchObject({
      calls: 3,
      succeeded: 1,
      failed: 2,
      outcomes: { exited: { calls: 2, succeeded: 1, failed: 1 }, 'timed-out': { calls: 1 } },
    })
    expect(exitCode).toBe(0)
  })

  test('leaves the last workspaces in --data-dir, and empties used ones first', async () => {
    place.writeLines('calls.jsonl', job(1))
    const args = ['run', 'calls.jsonl', '--slots', '1', '--data-dir', 'data', '--out', 'r', ...anyIsolation]
    await cli(args, { cwd: place.path })
    await Bun.write(join(place.path, 'data/slot_0/old'), 'of somebody else')
    await cli(args, { cwd: place.path })
    expect(place.records('r').at(-1)?.output).toBe('1\nt0')
    expect(place.read('data/slot_0/name')).toBe('t0')
  })

  test.each([
    [['--verbose'], {}],
    [[], { SANDBOX_SLOTS_DEBUG: '1' }],
  ])('prints a line for each event with %j %j', async (flags, env) => {
    place.writeLines('calls.jsonl', [bashCall('a', 'echo hi')])
    const { stderr } = await cli(['run', 'calls.jsonl', ...flags, ...anyIsolation], { cwd: place.path, env })
    expect(stderr).toMatch(/^call\.queued executionId=\S+ slotId=slot_0 container=\S+ tool=bash$/m)
    expect(stderr).toMatch(/^call\.settled .* outcome=exited success=true/m)
  })
})

describe('--resume', () => {
  test('runs what is not complete, and nothing else', async () => {
    place.writeLines('calls.jsonl', job(4))
    const args = ['run', 'calls.jsonl', '--slots', '2', '--out', 'results.jsonl', ...anyIsolation]
    await cli(args, { cwd: place.path })
    const whole = place.lines('results.jsonl').toSorted()
    // t0 and t3 are complete, t1 lacks its second call, the line of t2's was cut by a crash.
    const kept = whole.filter((line) => /"t[03]"/.test(line))
    const begun = whole.filter((line) => /"index":(2|4)/.test(line))
    place.write('results.jsonl', `${[...begun, ...kept].join('\n')}\n{"index":5,"traj`)

    const { exitCode, stdout } = await cli([...args, '--resume', '--json'], { cwd: place.path })
    expect(JSON.parse(stdout)).toMatchObject({ calls: 8, succeeded: 8, from_before: 4, without_result: 0 })
    expect(exitCode).toBe(0)
    const lines = place.lines('results.jsonl')
    expect(lines.slice(0, 4)).toEqual(kept)
    expect(lines.filter((line) => begun.includes(line))).toEqual([])
    expectWhole(place.records('results.jsonl'), 8)
  })

  test('has nothing to do when all is done, and needs no server for it', async () => {
    place.writeLines('calls.jsonl', job(1))
    const args = ['run', 'calls.jsonl', '--out', 'results.jsonl', '--resume']
    expect((await cli([...args, ...anyIsolation], { cwd: place.path })).exitCode).toBe(0)
    const before = place.read('results.jsonl')
    const again = await cli(args, { cwd: place.path, env: withoutBubblewrap })
    expect(again.stdout).toMatch(/^from before +2 of 2 calls$/m)
    expect(again.exitCode).toBe(0)
    expect(place.read('results.jsonl')).toBe(before)
  })
})

describe('containers', () => {
  test('of other processes share the work', async () => {
    place.writeLines('calls.jsonl', job(8))
    const options = { cwd: place.path }
    const servers = await Promise.all([
      startServe(['--slots', '1', ...anyIsolation], options),
      startServe(['--slots', '3', ...anyIsolation], options),
    ])
    const containers = servers.flatMap(({ url }) => ['--container', url])
    const args = ['run', 'calls.jsonl', ...containers, '--out', 'results.jsonl']
    const first = await cli(args, options)
    expect(first.stdout).toMatch(/^trajectories +8 in 4 slots of 2 containers$/m)
    expect(first.exitCode).toBe(0)
    const records = place.records('results.jsonl')
    expectWhole(records, 16)
    expect(new Set(records.map(({ container }) => container))).toEqual(new Set(servers.map(({ url }) => url)))

    const second = await cli([...args, '--slots', '1', '--json'], options)
    expect(JSON.parse(second.stdout)).toMatchObject({ slots: 2, containers: 2, succeeded: 16, resets: 8 })
    for (const { child } of servers) child.kill('SIGTERM')
    expect(await Promise.all(servers.map(({ child }) => child.exited))).toEqual([0, 0])
    expect(place.leftovers).toEqual([])
  })
})

describe.skipIf(!hasBubblewrap || !existsSync(humaneval))(
  'HumanEval (needs bubblewrap and ../shared)',
  () => {
    const lines = existsSync(humaneval) ? readFileSync(humaneval, 'utf8').trimEnd().split('\n') : []

    test('20 of its trajectories succeed in 4 slots', async () => {
      place.write('calls.jsonl', `${lines.slice(0, 40).join('\n')}\n`)
      const args = ['run', 'calls.jsonl', '--slots', '4', '--out', 'results.jsonl']
      const { exitCode } = await cli(args, { cwd: place.path })
      const records = place.records('results.jsonl')
      expectWhole(records, 40)
      expect(records.filter(({ success }) => !success)).toEqual([])
      expect(exitCode).toBe(0)
    }, 30_000)

    test('all of it succeeds in 16 slots', async () => {
      const args = ['run', humaneval, '--slots', '16', '--out', 'results.jsonl']
      const { exitCode, stdout } = await cli(args, { cwd: place.path })
      const records = place.records('results.jsonl')
      expectWhole(records, 328)
      expect(records.filter(({ success }) => !success)).toEqual([])
      expect(stdout).toMatch(/^all +328 +328 +0$/m)
      expect(exitCode).toBe(0)
    }, 60_000)
  },
)
