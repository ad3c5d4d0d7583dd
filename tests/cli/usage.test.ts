import { afterAll, describe, expect, test } from 'bun:test'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import packageJson from '../../package.json'
import { bashCall, cli, Place } from './support.ts'

const place = new Place()
afterAll(() => place[Symbol.dispose]())

const call = bashCall('a', 'echo hi')
place.writeLines('calls.jsonl', [call])
place.write('empty.jsonl', '')
place.write(
  'bad.jsonl',
  `${JSON.stringify(call)}\n${JSON.stringify(call)}\n{"trajectory": "a", "tool": "bash"}\n`,
)
place.write('binary.jsonl', '')
await Bun.write(join(place.path, 'binary.jsonl'), new Uint8Array([0xff, 0xfe, 0x00]))
place.writeLines('foreign.jsonl', [
  { index: 7, trajectory: 'z', tool: 'bash', success: true, outcome: 'exited' },
])
mkdirSync(join(place.path, 'directory'))

describe('help and version', () => {
  test.concurrent.each([
    [['--help'], 'Usage: sandbox-slots [options] [command]'],
    [['help', 'run'], 'Usage: sandbox-slots run [options] [calls.jsonl]'],
    [['run', '--help'], 'Usage: sandbox-slots run [options] [calls.jsonl]'],
    [['serve', '--help'], 'Usage: sandbox-slots serve [options]'],
    [['health', '--help'], 'Usage: sandbox-slots health [options] <url...>'],
    [['chart', '--help'], 'Usage: sandbox-slots chart [options] [machine]'],
    [['--version'], packageJson.version],
    [['run', '--version'], packageJson.version],
    [['serve', '--version'], packageJson.version],
    [['health', '--version'], packageJson.version],
    [['chart', '--version'], packageJson.version],
  ])('%j', async (args, start) => {
    const { exitCode, stdout, stderr } = await cli(args, { cwd: place.path })
    expect(stdout).toStartWith(start)
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  })
})

describe('wrong usage or input gives one sentence and exit code 2', () => {
  test.concurrent.each([
    [['nothing'], 'Cannot read the calls file nothing: there is no such file or directory'],
    [
      ['run', 'missing.jsonl'],
      'Cannot read the calls file missing.jsonl: there is no such file or directory',
    ],
    [['run', 'directory'], 'Cannot read the calls file directory: it is a directory'],
    [['run', 'binary.jsonl'], 'Cannot read the calls file binary.jsonl: it is not UTF-8 text'],
    [['run', 'empty.jsonl'], 'The calls file empty.jsonl is empty: it must hold one call a line, like {'],
    [['run', 'bad.jsonl'], 'bad.jsonl:3: key "args" is missing'],
    [['run', ''], 'The name of the calls file must not be empty'],
    [['run', 'a', 'b'], "too many arguments for 'run'. Expected 1 argument but got 2: a, b."],
    [['run', '--bogus'], "unknown option '--bogus'"],
    [
      ['run', '--slots', '0'],
      "option '--slots <n>' argument '0' is invalid. It must be a whole number from 1 to 4096.",
    ],
    [['run', '--slots', '1.5'], "option '--slots <n>' argument '1.5' is invalid."],
    [['run', '--slots'], "option '--slots <n>' argument missing"],
    [
      ['run', '--isolation', 'maybe'],
      "option '--isolation <kind>' argument 'maybe' is invalid. Allowed choices are bubblewrap, none.",
    ],
    [
      ['run', '--container', 'ftp://x'],
      "option '--container <url>' argument 'ftp://x' is invalid. It must be the address of a container",
    ],
    [
      ['run', '--container', 'http://x:1', '--container', 'x:1/'],
      "option '--container <url>' argument 'x:1/' is invalid. This container is given twice.",
    ],
    [
      ['run', '--container', 'x:1', '--data-dir', 'd'],
      "option '--container <url>' cannot be used with option '--data-dir <dir>'",
    ],
    [
      ['run', '--container', 'x:1', '--isolation', 'none'],
      "option '--container <url>' cannot be used with option '--isolation <kind>'",
    ],
    [['run', 'calls.jsonl', '--resume'], '--resume needs --out <file>, the results file to go on with'],
    [
      ['run', 'calls.jsonl', '--out', './calls.jsonl'],
      'Cannot write the results to ./calls.jsonl: it is the calls file',
    ],
    [
      ['run', 'calls.jsonl', '--out', ''],
      "option '--out <file>' argument '' is invalid. It must not be empty.",
    ],
    [
      ['run', 'calls.jsonl', '--isolation', 'none', '--out', 'no/such/dir'],
      'Cannot write the results file no/such/dir: there is no such file or directory',
    ],
    [
      ['run', 'calls.jsonl', '--isolation', 'none', '--out', 'directory'],
      'Cannot write the results file directory: it is a directory',
    ],
    [
      ['run', 'calls.jsonl', '--resume', '--out', 'directory'],
      'Cannot read the results file directory: it is a directory',
    ],
    [
      ['run', 'calls.jsonl', '--resume', '--out', 'foreign.jsonl'],
      'foreign.jsonl:1: cannot resume, the results are of other calls: call 7 was bash of "z"',
    ],
    [
      ['run', 'calls.jsonl', '--isolation', 'none', '--data-dir', 'calls.jsonl'],
      'Cannot start the sandbox server: Cannot use the data directory calls.jsonl',
    ],
    [
      ['serve', '--port', '65536'],
      "option '--port <n>' argument '65536' is invalid. It must be a whole number from 0 to 65535.",
    ],
    [['serve', '--host', '0.0.0.0'], 'Cannot start the sandbox server: host '],
    [['health'], "missing required argument 'url'"],
    [
      ['health', 'x:y:z'],
      "command-argument value 'x:y:z' is invalid for argument 'url'. It must be the address of a container",
    ],
    [
      ['chart', 'door'],
      "command-argument value 'door' is invalid for argument 'machine'. Allowed choices are slot, coordinator, pool.",
    ],
    [
      ['chart', 'slot', '--format', 'gif'],
      "option '--format <format>' argument 'gif' is invalid. Allowed choices are mermaid, svg.",
    ],
  ])('%j', async (args, sentence) => {
    const { exitCode, stdout, stderr } = await cli(args, { cwd: place.path })
    expect(stderr).toStartWith(`error: ${sentence}`)
    expect(stderr).toMatch(/^[^\n]+\n$/)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
  })

  test('and nothing has run, and no file was touched', () => {
    expect(place.leftovers).toEqual([])
    expect(place.lines('calls.jsonl')).toHaveLength(1)
    expect(place.lines('foreign.jsonl')).toHaveLength(1)
  })
})

describe('a container that is not there', () => {
  test('ends run with one sentence and exit code 1', async () => {
    const args = ['run', 'calls.jsonl', '--container', '127.0.0.1:1']
    const { exitCode, stdout, stderr } = await cli(args, { cwd: place.path })
    expect(stderr).toStartWith(
      'error: Cannot use the container http://127.0.0.1:1: GET /health was not answered: ECONNREFUSED',
    )
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
  })

  test('but something else is: that is told', async () => {
    const fetch = () => new Response('<html>', { status: 404 })
    await using page = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch })
    const args = ['run', 'calls.jsonl', '--container', `127.0.0.1:${page.port}`]
    const { exitCode, stderr } = await cli(args, { cwd: place.path })
    expect(stderr).toEndWith('GET /health was answered with HTTP 404, and with no JSON object\n')
    expect(exitCode).toBe(1)
  })
})
