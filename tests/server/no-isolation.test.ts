import { describe, expect, test } from 'bun:test'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { bash, eventually, execute, processesWith, slotWorkspace, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

describe('bash without a sandbox', () => {
  let sandbox: Sandbox
  const withSandbox = async () => {
    sandbox = await openSandbox({ isolation: 'none' })
  }

  test('says so, and clears the environment all the same', async () => {
    process.env.SANDBOX_SLOTS_SECRET = 'hunter2'
    await withSandbox()
    const { output, metadata } = await bash(sandbox, 'env; pwd')
    delete process.env.SANDBOX_SLOTS_SECRET
    expect(metadata).toMatchObject({ exit_code: 0, sandboxed: false, network_isolated: false })
    expect(output).not.toContain('hunter2')
    expect(output).toEndWith(await slotWorkspace(sandbox))
  })

  test('refuses require_sandbox', async () => {
    await withSandbox()
    const { success, error } = await execute(sandbox, 'bash', { command: 'echo x', require_sandbox: true })
    expect(success).toBe(false)
    expect(error).toContain('require_sandbox')
  })

  test('kills the whole process group at the timeout, and what is left after the end', async () => {
    await withSandbox()
    const marker = `marker-${crypto.randomUUID()}`
    const late = await bash(sandbox, `export M=${marker}; sleep 60 & sleep 60`, { timeout: 0.3 })
    expect(late.error).toBe('Command timed out after 0.3s')
    expect(await eventually(() => processesWith(marker).length === 0)).toBe(true)
    const ended = await bash(sandbox, `M=${marker} sleep 60 & echo started; kill -9 $$`)
    expect([ended.output, ended.error]).toEqual(['started', 'Exit code: 137'])
    expect(await eventually(() => processesWith(marker).length === 0)).toBe(true)
  })

  test('kills at once at the timeout', async () => {
    await withSandbox()
    const { metadata } = await bash(sandbox, 'echo $$; sleep 0.4; touch late; sleep 60', { timeout: 0.05 })
    expect(metadata.timeout).toBe(true)
    const { output } = await bash(sandbox, 'sleep 0.5; ls')
    expect(output).toBe('')
  })

  test('does not wait for a stranger that holds the output', async () => {
    await withSandbox()
    const marker = `marker-${crypto.randomUUID()}`
    const { output } = await bash(
      sandbox,
      `M=${marker} setsid sh -c 'while sleep 0.1; do echo tick; done' & sleep 0.2; echo started`,
    )
    expect(output).toContain('started')
    for (const pid of processesWith(marker)) process.kill(Number(pid), 'SIGKILL')
  })
})
