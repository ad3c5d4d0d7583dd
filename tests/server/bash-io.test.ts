import { describe, expect, test } from 'bun:test'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execute, hasBubblewrap, post, slotWorkspace, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

const kinds = ['none', ...(hasBubblewrap ? (['bubblewrap'] as const) : [])] as const

describe.each([...kinds])('bash with isolation %s', (isolation) => {
  const run = async (args: object, more: object = {}) => {
    const sandbox = await openSandbox({ slots: 1, isolation })
    return execute(sandbox, 'bash', args, more)
  }

  test.each([
    ['nothing', '', ''],
    ['a line', 'one\n', 'one\n'],
    ['no newline at its end', 'one', 'one'],
    ['quotes, backslashes and what looks like a command', `'"\\\n$(id)\n+5\n`, `'"\\\n$(id)\n+5\n`],
    ['NUL and other characters', 'a\0b é 😀', 'a\0b é 😀'],
  ])('gives the command its stdin: %s', async (_name, stdin, seen) => {
    const { metadata } = await run({ command: 'cat', stdin })
    expect([metadata.stdout, metadata.stderr]).toEqual([seen, ''])
  })

  test('gives a command of any size a stdin of any size', async () => {
    const command = `# ${'x'.repeat(200_000)}\nwc -c`
    expect((await run({ command, stdin: 'é'.repeat(300_000) })).output).toBe('600000')
  })

  test('does not wait for a command that never reads its stdin', async () => {
    const sandbox = await openSandbox({ slots: 1, isolation })
    const stdin = 'x'.repeat(500_000)
    expect((await execute(sandbox, 'bash', { command: 'echo done', stdin })).output).toBe('done')
    const late = await execute(sandbox, 'bash', { command: 'sleep 30', stdin }, { timeout: 0.2 })
    expect(late.metadata.timeout).toBe(true)
    expect((await execute(sandbox, 'bash', { command: 'echo next' })).output).toBe('next')
  })

  test('without one, stdin is /dev/null', async () => {
    expect((await run({ command: 'readlink /proc/self/fd/0; cat' })).output).toBe('/dev/null')
  })

  test('sets variables, whatever is in them, and lines keep their numbers', async () => {
    const tricky = `a'b"c\\n$(id)\`id\`\n\t\\é😀 `
    const command = 'printf %s "$TRICKY"; printenv OTHER\nno-such-program'
    const { metadata } = await run({ command, env: { TRICKY: tricky, OTHER: '' } })
    expect(metadata.stdout).toBe(`${tricky}\n`)
    expect(metadata.stderr).toBe((await run({ command })).metadata.stderr)
    expect(metadata.stderr).toMatch(/line \d+: no-such-program/)
  })

  test.each([
    [{ '1A': 'x' }, '1A'],
    [{ 'A B': 'x' }, 'A B'],
    [{ UID: '0' }, 'UID'],
    [{ A: 'x\0' }, 'NUL'],
    [{ A: 1 }, 'string'],
  ])('refuses %j as environment', async (env, word) => {
    const sandbox = await openSandbox({ slots: 1, isolation })
    const request = { slot_id: 'slot_0', tool: 'bash', args: { command: 'echo ran', env } }
    const response = await post(sandbox, '/execute', request)
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining(word)])
  })

  test('starts in a directory of the workspace, and refuses all others', async () => {
    const sandbox = await openSandbox({ slots: 1, isolation })
    const workspace = await slotWorkspace(sandbox)
    mkdirSync(join(workspace, "a 'b"))
    writeFileSync(join(workspace, 'file'), '')
    symlinkSync('/etc', join(workspace, 'out'))
    const at = (cwd: string) => execute(sandbox, 'bash', { command: 'basename "$PWD"', cwd })
    expect((await at("a 'b")).output).toBe("a 'b")
    expect((await at('.')).success).toBe(true)
    expect((await at("/workspace/a 'b/")).output).toBe("a 'b")
    expect((await at('/workspace')).output).toBe((await at('.')).output)
    expect((await at('missing')).error).toBe('File not found: missing')
    expect((await at('file')).error).toBe('Not a directory: file')
    for (const cwd of ['..', '/', 'out']) {
      expect((await at(cwd)).error).toBe('Access denied: path outside workspace')
    }
  })

  test('tells the signal that ended the command', async () => {
    expect((await run({ command: 'sh -c "kill -TERM \\$\\$"' })).metadata.signal).toBe('SIGTERM')
    expect((await run({ command: 'exit 3' })).metadata.signal).toBeNull()
    expect((await run({ command: 'sleep 9' }, { timeout: 0.1 })).metadata.signal).toBe('SIGKILL')
  })
})
