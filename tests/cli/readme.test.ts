/** The command lines of README.md, each run as it stands there, with addresses and files of this machine. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { headerLine } from '../../src/inspector/trace-lines.ts'
import { type NomadStandIn, startNomad } from '../support/nomad-stand-in.ts'
import { anyIsolation, cli, Place, startCli, startServe } from './support.ts'

const readme = readFileSync(join(import.meta.dir, '../../README.md'), 'utf8')
const blocks = (kind: string) =>
  [...readme.matchAll(new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, text = '']) => text)
const commands = [
  ...new Set(
    blocks('sh')
      .flatMap((block) => block.split('\n'))
      .filter((line) => line.startsWith('bun start'))
      .map((line) => line.replace(/ +#.*$/, '')),
  ),
]

let place: Place
let nomad: NomadStandIn
let urls: readonly string[]

beforeAll(async () => {
  place = new Place()
  nomad = startNomad()
  place.write('calls.jsonl', blocks('json').find((text) => text.includes('"trajectory"')) ?? '')
  place.write('trace.jsonl', `${headerLine(0, false)}\n`)
  const servers = await Promise.all([1, 2].map(() => startServe(anyIsolation, { cwd: place.path })))
  urls = servers.map(({ url }) => url)
  for (const url of urls) nomad.put('sandbox', { port: Number(new URL(url).port) })
}, 30_000)

afterAll(async () => {
  place[Symbol.dispose]()
  await nomad[Symbol.asyncDispose]()
})

/** Its arguments, with what is on this machine in the place of what is on the reader's. */
function argumentsOf(command: string): string[] {
  const here = (text: string) =>
    text
      .replace('http://127.0.0.1:8080', urls[0] ?? '')
      .replace('http://127.0.0.1:8081', urls[1] ?? '')
      .replace('http://127.0.0.1:4646', nomad.url)
      .replace(/^8080$/, '0')
      .replace(/^\.\.\/shared\/.*$/, 'calls.jsonl')
  return command.split(' ').slice(2).map(here)
}

const startsServer = (args: readonly string[]) =>
  args[0] === 'serve' || (args[0] === 'run' && !args.includes('--container') && !args.includes('--nomad'))
const stays = (args: readonly string[]) =>
  args[0] === 'serve' || args[0] === 'inspect' || args.includes('--inspect')

test('README.md has command lines', () => {
  expect(commands.length).toBeGreaterThan(8)
})

test.each(commands)(
  '%s',
  async (command) => {
    const args = argumentsOf(command)
    const all = startsServer(args) ? [...args, ...anyIsolation] : args
    if (!stays(args)) {
      const { exitCode, stderr } = await cli(all, { cwd: place.path })
      expect(stderr).not.toContain('rror:')
      expect(exitCode).toBe(0)
      return
    }
    const child = startCli(all, { cwd: place.path })
    await untilSaid(args.includes('run') ? child.stderr : child.stdout, /http:\/\/127\.0\.0\.1:\d+/)
    child.kill('SIGINT')
    expect(await child.exited).toBeOneOf([0, 130])
  },
  30_000,
)

/** Reads on until it comes; the end of the stream before that is an error. The pipe stays: who says more is not broken. */
async function untilSaid(stream: ReadableStream<Uint8Array>, text: RegExp): Promise<void> {
  let said = ''
  const decoder = new TextDecoder()
  for await (const chunk of stream.values({ preventCancel: true })) {
    said += decoder.decode(chunk, { stream: true })
    if (text.test(said)) return
  }
  throw new Error(`It ended, and said: ${said}`)
}
