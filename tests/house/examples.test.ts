import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { SandboxExecutor } from '../../mod.ts'
import type { SandboxServer } from '../../src/server/start-server.ts'
import { startServer } from '../runtime/support.ts'
import { type Example, examplesInComments, examplesInMarkdown, isAsSaid } from './examples.ts'
import { brokenExamples } from './run-examples.ts'
import { fileAt, root, sourceFiles } from './sources.ts'

const patience = 90_000

let server: SandboxServer
let isIsolated: boolean

beforeAll(async () => {
  server = await startServer()
  await using executor = new SandboxExecutor()
  isIsolated = (await executor.getContainerStatus(server.url))?.bwrapAvailable === true
}, patience)

afterAll(() => server.stop())

const broken = (examples: readonly Example[]) => brokenExamples(examples, { url: server.url, isIsolated })

test(
  'the examples in comments run and print what they say',
  async () => {
    const examples = sourceFiles().flatMap(examplesInComments)
    expect(examples.length).toBeGreaterThan(8)
    expect(await broken(examples)).toEqual([])
  },
  patience,
)

test(
  'the examples in README.md run and print what they say',
  async () => {
    const examples = examplesInMarkdown(fileAt('README.md')).filter(({ notRun }) => notRun === undefined)
    expect(examples.length).toBeGreaterThan(3)
    expect(await broken(examples)).toEqual([])
  },
  patience,
)

test(
  'an example that fails, prints something else or prints nothing is seen, the others run on',
  async () => {
    const text = [
      'Text.',
      '```ts',
      `throw new Error('no')`,
      '```',
      '```ts',
      `import { SandboxExecutor } from 'sandbox-slots'`,
      `await using executor = new SandboxExecutor()`,
      `console.log(`,
      `  await executor.healthCheck(CONTAINER),`,
      `) // true`,
      `for (const n of [1, 2]) console.log({ n }) // { n: 1 } { n: 2 }`,
      `if (executor.pending > 0) console.log('three') // three`,
      `console.log('one') // two`,
      '```',
      '<!-- not run: it needs a cluster -->',
      '```ts',
      'cluster()',
      '```',
    ].join('\n')
    const examples = examplesInMarkdown({ path: 'a.md', text })
    expect(examples.map(({ notRun }) => notRun)).toEqual([undefined, undefined, 'it needs a cluster'])
    expect(await broken(examples.slice(0, 2))).toEqual([
      'a.md:3 fails: Error: no',
      'a.md:6, line 7 of it, says three and prints nothing',
      'a.md:6, line 8 of it, says two and prints one',
    ])
    const left = readdirSync(join(root, 'node_modules/.cache')).filter((name) =>
      name.startsWith('sandbox-slots-examples-'),
    )
    expect(left).toEqual([])
  },
  patience,
)

test('examples are found in comments, with their lines', () => {
  const text = [
    '/** Nothing. */',
    'export class A {',
    '  /**',
    '   * @example',
    '   * ```ts',
    `   * import { b } from 'sandbox-slots/server'`,
    '   * b()',
    '   * ```',
    '   */',
    '}',
  ].join('\n')
  const [example] = examplesInComments({ path: 'src/a.ts', text })
  expect(example).toEqual({ name: 'src/a.ts:6', code: `import { b } from 'sandbox-slots/server'\nb()\n` })
})

test.each([
  ['[\n  "one",\n  "two",\n]', `[ 'one', 'two' ]`, true],
  ['{\n  status: "ok",\n  slots: 4,\n}', `{ status: 'ok', … }`, true],
  ['hello exited 3', 'hello exited 3', true],
  ['hello', 'hell', false],
  ['[ 1, 2 ]', '[1]', false],
])('%j is %j: %p', (seen, said, expected) => {
  expect(isAsSaid(seen, said)).toBe(expected)
})
