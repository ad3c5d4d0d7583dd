import { afterAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { anyIsolation, bashCall, cli, hasBubblewrap, Place, startCli, startServe } from './support.ts'

const place = new Place()
afterAll(() => place[Symbol.dispose]())

const token = 'hunter2-hunter2-hunter2'
const inEnvironment = { cwd: place.path, env: { SANDBOX_SLOTS_TOKEN: token } }
const without = { cwd: place.path, env: { SANDBOX_SLOTS_TOKEN: '' } }
place.write('token', `${token}\n`)
place.write('empty', '\n')
place.write('spaces', 'hunter2 hunter2 hunter2')
place.write('short', 'hunter2')
place.writeLines('calls.jsonl', [bashCall('a', 'echo ran')])

describe('a server with a token', () => {
  test('gives its slots to those who show it, and to nobody else', async () => {
    const { child, url } = await startServe(
      ['--token-file', 'token', '--host', '0.0.0.0', ...anyIsolation],
      without,
    )
    const health = async (args: readonly string[], options = without) =>
      JSON.parse((await cli(['health', url, '--json', ...args], options)).stdout)
    expect(await health([])).toMatchObject([{ ok: true, slots: null }])
    expect(await health(['--token-file', 'short'])).toMatchObject([{ ok: true, slots: null }])
    expect(await health(['--token-file', 'token'])).toMatchObject([{ ok: true, slots: 8 }])
    expect(await health([], inEnvironment)).toMatchObject([{ ok: true, slots: 8 }])

    const run = ['run', 'calls.jsonl', '--container', url, '--verbose']
    const refused = await cli(run, without)
    expect(refused.exitCode).toBe(2)
    expect(refused.stderr).toContain('give its token with --token-file')
    const unauthorised = await cli([...run, '--slots', '1', '--out', 'refused.jsonl'], without)
    expect(unauthorised.exitCode).toBe(1)
    expect(place.records('refused.jsonl')).toMatchObject([{ outcome: 'not-run' }])

    const ran = await cli([...run, '--token-file', 'token', '--out', 'ran.jsonl'], without)
    expect(ran.exitCode).toBe(0)
    expect(place.records('ran.jsonl')).toMatchObject([{ output: 'ran' }])
    expect(ran.stdout + ran.stderr + place.read('ran.jsonl')).not.toContain(token)

    child.kill('SIGTERM')
    expect(await child.exited).toBe(0)
    expect(await new Response(child.stderr).text()).not.toContain(token)
  })

  test.skipIf(!hasBubblewrap)('hides it from what runs inside', async () => {
    const { child, url } = await startServe(['--slots', '1'], inEnvironment)
    // It is in the environment of the server, where this very search finds it.
    expect(readFileSync(`/proc/${child.pid}/environ`, 'latin1')).toContain(token)
    expect(readFileSync(`/proc/${child.pid}/cmdline`, 'latin1')).not.toContain(token)
    const search =
      'env; for f in /proc/[0-9]*/environ /proc/[0-9]*/cmdline /proc/self/mountinfo; do tr "\\0" "\\n" < $f; done; ' +
      'for fd in /proc/self/fd/*; do readlink $fd; done; cat /etc/* 2>/dev/null; ' +
      // In two parts: not to find the command itself.
      "grep -rsa 'hunter2-'hunter2 /workspace /tmp /etc /dev/shm /run /var"
    place.writeLines('search.jsonl', [bashCall('a', search)])
    const args = ['run', 'search.jsonl', '--container', url, '--out', 'found.jsonl']
    expect((await cli(args, inEnvironment)).exitCode).toBeLessThan(2)
    const [found] = place.records('found.jsonl')
    expect(found?.outcome).toBe('exited')
    expect(found?.output).toContain('PATH=')
    expect(found?.output).not.toContain(token)
    child.kill('SIGTERM')
    await child.exited
  })
})

describe('one sentence and exit code 2 for', () => {
  const runOn = ['run', 'calls.jsonl', '--container', 'http://127.0.0.1:1', '--token-file']
  test.each<[readonly string[], string]>([
    [['serve', '--host', '0.0.0.0'], 'needs a token'],
    [['serve', '--network'], 'needs a token'],
    [
      ['serve', '--token-file', 'missing'],
      'Cannot read the token file missing: there is no such file or directory',
    ],
    [['serve', '--token-file', 'short'], 'token must be a text of 16 to 512 visible ASCII characters'],
    [['serve', '--token-file', 'empty'], 'Cannot use what is in the file empty as a token'],
    [['serve', '--token-file', ''], 'It must not be empty'],
    [['serve', '--token', token], "unknown option '--token'"],
    [
      ['health', 'http://127.0.0.1:1', '--token-file', 'spaces'],
      'Cannot use what is in the file spaces as a token',
    ],
    [[...runOn, 'spaces'], 'Cannot use what is in the file spaces as a token'],
    [['run', 'calls.jsonl', '--token-file', 'token'], '--token-file is for the servers of --container'],
  ])('%j', async (args, error) => {
    const { exitCode, stdout, stderr } = await cli(args, without)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(error)
    expect(stderr.trim().split('\n')).toHaveLength(1)
    expect(stderr).not.toContain('hunter2')
  })

  test('an environment variable that holds no token', async () => {
    const env = { SANDBOX_SLOTS_TOKEN: 'hunter2 hunter2 hunter2' }
    const { exitCode, stderr } = await cli(['serve'], { cwd: place.path, env })
    expect([exitCode, stderr]).toEqual([
      2,
      'error: Cannot use what is in the environment variable SANDBOX_SLOTS_TOKEN as a token: ' +
        'it must be visible ASCII characters without spaces\n',
    ])
  })
})

test('the job of our own runs with a token in the environment, for whomever it is', async () => {
  const child = startCli(['--json', ...anyIsolation], inEnvironment)
  expect(await child.exited).toBe(0)
})
