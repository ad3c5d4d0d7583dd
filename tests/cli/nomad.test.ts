import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { type NomadStandIn, startNomad } from '../support/nomad-stand-in.ts'
import { bashCall, cli, Place, startServe } from './support.ts'

const token = '5e9b6c3a-nomad'
let place: Place
let nomad: NomadStandIn
beforeEach(() => {
  place = new Place()
  nomad = startNomad({ token })
})
afterEach(async () => {
  place[Symbol.dispose]()
  await nomad[Symbol.asyncDispose]()
})

describe('run --nomad', () => {
  test('runs in the containers of a job; the token comes from the environment or a file', async () => {
    const options = { cwd: place.path, env: { NOMAD_TOKEN: token } }
    const servers = await Promise.all(
      [1, 2].map(() => startServe(['--slots', '2', '--isolation', 'none'], options)),
    )
    for (const { url } of servers) nomad.put('sandbox', { port: Number(new URL(url).port) })
    place.writeLines(
      'calls.jsonl',
      Array.from({ length: 8 }, (_, index) => bashCall(`t${index}`, 'ls | wc -l; touch mine')),
    )
    place.write('token', `${token}\n`)
    const args = ['run', 'calls.jsonl', '--nomad', nomad.url, '--job', 'sandbox', '--out', 'r', '--json']
    const { exitCode, stdout } = await cli(args, options)
    expect(JSON.parse(stdout)).toMatchObject({ calls: 8, succeeded: 8, slots: 4, containers: 2 })
    expect(exitCode).toBe(0)
    const records = place.records('r')
    expect(new Set(records.map(({ container }) => container))).toEqual(new Set(servers.map(({ url }) => url)))
    expect(records.map(({ output }) => output)).toEqual(records.map(() => '0'))

    const byFile = await cli([...args, '--slots', '1', '--nomad-token-file', 'token'], { cwd: place.path })
    expect(JSON.parse(byFile.stdout)).toMatchObject({ succeeded: 8, slots: 2, containers: 2 })
  }, 30_000)

  test('ends with Nomad’s own words when it is refused', async () => {
    place.writeLines('calls.jsonl', [bashCall('a', 'echo hi')])
    const args = ['run', 'calls.jsonl', '--nomad', nomad.url, '--job', 'sandbox']
    const { exitCode, stderr } = await cli(args, { cwd: place.path, env: { NOMAD_TOKEN: 'another' } })
    expect(stderr).toEndWith(
      `error: Cannot start the pool: Cannot list the allocations of job sandbox at ${nomad.url}: HTTP 403: ACL token not found\n`,
    )
    expect(exitCode).toBe(1)
  })

  test.each([
    [['--nomad', 'http://127.0.0.1:1'], '--nomad needs --job <id>'],
    [['--job', 'sandbox'], '--job is for --nomad <url>'],
    [['--nomad-token-file', 'x'], '--nomad-token-file is for --nomad <url>'],
    [['--nomad', 'ftp://x', '--job', 'y'], 'It must be the address of Nomad'],
    [['--nomad', 'http://x', '--job', 'y', '--container', 'x:1'], 'cannot be used with option'],
  ])('refuses %j', async (args, sentence) => {
    const { exitCode, stderr } = await cli(['run', ...args], { cwd: place.path })
    expect(stderr).toContain(sentence)
    expect(exitCode).toBe(2)
  })
})
