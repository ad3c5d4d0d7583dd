/** Runs examples as they stand, one after the other in one process, against a real server. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { type Example, isAsSaid, prepared } from './examples.ts'
import { root } from './sources.ts'

export interface ExampleServer {
  readonly url: string
  /** Whether servers that examples start need `isolation: 'none'`. */
  readonly isIsolated: boolean
}

/** What one example did: an error that ended it, and what each `console.log` printed. */
const runs = v.array(v.object({ error: v.optional(v.string()), printed: v.array(v.nullable(v.string())) }))

const patience = 60_000

/** One sentence for each example that fails or prints something else than it says. */
export async function brokenExamples(
  examples: readonly Example[],
  { url, isIsolated }: ExampleServer,
): Promise<string[]> {
  const cache = join(root, 'node_modules/.cache')
  await mkdir(cache, { recursive: true })
  const folder = await mkdtemp(join(cache, 'sandbox-slots-examples-'))
  try {
    const serverModule = join(root, 'src/server/mod.ts')
    await Bun.write(join(folder, 'server.ts'), unisolated(serverModule))
    const modules = {
      'sandbox-slots': join(root, 'mod.ts'),
      'sandbox-slots/actors': join(root, 'src/actors/mod.ts'),
      'sandbox-slots/inspector': join(root, 'src/inspector/mod.ts'),
      'sandbox-slots/server': isIsolated ? serverModule : join(folder, 'server.ts'),
    }
    const ready = examples.map((example) => prepared(example, { modules, container: url }))
    for (const [index, { code }] of ready.entries()) await Bun.write(join(folder, `${index}.ts`), code)
    await Bun.write(join(folder, 'main.ts'), runner(ready.length))
    const seen = v.parse(runs, JSON.parse(await output(folder)))
    return examples.flatMap(({ name }, index) => {
      const { error, printed } = seen[index] ?? { error: 'It did not run', printed: [] }
      if (error !== undefined) return [`${name} fails: ${error}`]
      return (ready[index]?.printings ?? []).flatMap(({ line, expected }, n) =>
        expected === undefined || isAsSaid(printed[n] ?? '', expected)
          ? []
          : [`${name}, line ${line} of it, says ${expected} and prints ${printed[n] ?? 'nothing'}`],
      )
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function output(folder: string): Promise<string> {
  const child = Bun.spawn([process.execPath, join(folder, 'main.ts')], {
    cwd: root,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
    env: { ...process.env, NO_COLOR: '1' },
    timeout: patience,
    killSignal: 'SIGKILL',
  })
  const [text, errors] = [new Response(child.stdout).text(), new Response(child.stderr).text()]
  if ((await child.exited) === 0) return text
  throw new Error(`The examples did not come to their end:\n${await text}\n${await errors}`)
}

/** `sandbox-slots/server` where bubblewrap is missing. */
function unisolated(serverModule: string): string {
  return `
import { startSandboxServer as start } from ${JSON.stringify(serverModule)}
export const startSandboxServer = (options) => start({ isolation: 'none', ...options })
`
}

/** What an example prints is collected by the number of its `console.log`. */
function runner(count: number): string {
  return `
const write = console.log
const runs = []
console.log = console.error = () => {}
for (let index = 0; index < ${count}; index += 1) {
  const run = { printed: [] }
  runs.push(run)
  globalThis.printAt = (n) => (...values) => {
    const text = values.map((value) => (typeof value === 'string' ? value : Bun.inspect(value))).join(' ')
    run.printed[n] = run.printed[n] === undefined ? text : run.printed[n] + '\\n' + text
  }
  try {
    await import('./' + index + '.ts')
  } catch (error) {
    run.error = String(error)
  }
  run.printed = Array.from(run.printed)
}
write(JSON.stringify(runs))
`
}
