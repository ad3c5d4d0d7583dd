import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { reportFrom } from './settings.ts'
import { expectGreen, outputOf, patience, root, settingsFor, startServer } from './support.ts'

const deno = [join(root, 'node_modules/.bin/deno'), 'run', '--no-lock', '-A', '--node-modules-dir=manual']

test(
  'the core works in Deno',
  async () => {
    await using server = await startServer()
    const main = join(import.meta.dir, 'main.ts')
    const settings = JSON.stringify(await settingsFor(server))
    expectGreen(reportFrom(await outputOf([...deno, main, settings], root)))
    expect(existsSync(join(root, 'deno.lock'))).toBe(false)
  },
  patience,
)

test(
  'a ten-line Deno script executes calls',
  async () => {
    await using server = await startServer()
    const script = `
import { SandboxExecutor } from './mod.ts'
await using executor = new SandboxExecutor({ timeoutMs: 20_000 })
const [a, b] = executor.slots(Deno.args[0], 2)
await a.writeFile('greeting.txt', 'hello')
const results = await executor.executeBatch([
  [a, 'bash', { command: 'cat greeting.txt' }],
  [b, 'bash', { command: 'echo world' }],
])
console.log(results.map(({ output }) => output.trim()).join(' '))
`
    const output = await outputOf([...deno, '-', server.url], root, script)
    expect(output.trim()).toBe('hello world')
    expect(existsSync(join(root, 'deno.lock'))).toBe(false)
  },
  patience,
)
