import { afterEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sandbox } from '../../src/server/sandbox.ts'
import { StatefulShell } from '../../src/server/stateful/stateful-shell.ts'
import { runStatefulCalls } from './stateful-calls.ts'
import { eventually, execute, hasBubblewrap, post, processesWith, useSandboxes } from './support.ts'

const openSandbox = useSandboxes()

const kinds = [
  ['without a sandbox', 'none'],
  ...(hasBubblewrap ? ([['in a sandbox', 'bubblewrap']] as const) : []),
] as const

for (const [where, isolation] of kinds) {
  describe(`the shell of bash_stateful ${where}`, () => {
    let sandbox: Sandbox
    const open = async () => {
      sandbox = await openSandbox({ isolation })
      await told('a=1')
    }
    const told = async (command: string, more: object = {}): Promise<Record<string, unknown>> => {
      const { output, error, metadata } = await execute(sandbox, 'bash_stateful', { command }, more)
      return { output, error, lost: false, restarted: false, ...renamed(metadata) }
    }
    /** Those that need more than a second are run once. */
    const isSlow = isolation === 'none' && hasBubblewrap
    /** A sandbox is dead when it is told so; without one the kernel may still be at it. */
    const areGone = async (marker: string) =>
      processesWith(marker).length === 0 ||
      (isolation === 'none' && (await eventually(() => processesWith(marker).length === 0)))
    const timeout = { timeout: 0.3 }
    const timedOut = {
      error: 'Command timed out after 0.3s',
      exit_code: -1,
      timeout: true,
      signal: 'SIGINT',
      lost: false,
    }
    const kept = { output: '[1]', restarted: false }
    const fresh = { output: '[]', restarted: true }

    test('ends with exit, and the next call is told that it has a fresh one', async () => {
      await open()
      expect(await told('echo out; exit 3')).toMatchObject({
        output: 'out',
        error: 'Exit code: 3',
        exit_code: 3,
        stderr: '',
        lost: true,
        restarted: false,
      })
      expect(await told('echo "[$a]"; a=1')).toMatchObject({ ...fresh, lost: false })
      expect(await told('echo "[$a]"')).toMatchObject(kept)
    })

    test.each([
      ['set -e; false; echo no', 1],
      ['exec sh -c "exit 5"', 5],
      ['kill -9 $$; echo no', 137],
    ])('ends with %s', async (command, exitCode) => {
      await open()
      expect(await told(command)).toMatchObject({ output: '', exit_code: exitCode, lost: true })
      expect(await told('echo "[$a]"')).toMatchObject(fresh)
    })

    test('that ended between two calls is replaced, and that is told', async () => {
      await open()
      const marker = `marker-${crypto.randomUUID()}`
      await told(`{ until [ -e go ]; do sleep 0.01; done; kill -9 $$; } & M=${marker} sleep 60 &`)
      expect(await eventually(() => processesWith(marker).length > 0)).toBe(true)
      await execute(sandbox, 'bash', { command: ': > go' })
      expect(await eventually(() => processesWith(marker).length === 0)).toBe(true)
      expect(await told('echo "[$a]"')).toMatchObject({ ...fresh, exit_code: 0 })
    })

    test('is kept when the command stops at its timeout', async () => {
      await open()
      expect(await told('echo before; echo err >&2; sleep 60; echo after', timeout)).toMatchObject({
        ...timedOut,
        output: 'before\n\n[stderr]\nerr',
        stderr: 'err',
      })
      expect(await told('f() { while :; do :; done; }; f | cat; echo after', timeout)).toMatchObject(timedOut)
      expect(await told('{ f; } > file; echo after', timeout)).toMatchObject(timedOut)
      expect(await told('echo $?; echo "[$a]"')).toMatchObject({ output: '130\n[1]', restarted: false })
    })

    test.skipIf(isSlow)('is kept when what it started must be killed', async () => {
      await open()
      const marker = `marker-${crypto.randomUUID()}`
      const command = `export M=${marker}; sh -c 'trap "" INT; sleep 60; sleep 60'; for i in 1 2 3; do sleep 60; done`
      expect(await told(command, timeout)).toMatchObject(timedOut)
      expect(await areGone(marker)).toBe(true)
      expect(await told('echo "[$a]"')).toMatchObject(kept)
    })

    test.skipIf(isSlow)('is lost when it does not stop, and that is told twice', async () => {
      await open()
      const marker = `marker-${crypto.randomUUID()}`
      expect(await told(`trap : INT; while :; do M=${marker} sleep 0.1; done`, timeout)).toMatchObject({
        error: 'Command timed out after 0.3s; the shell did not stop and was killed: its state is lost',
        timeout: true,
        signal: 'SIGKILL',
        lost: true,
      })
      expect(await areGone(marker)).toBe(true)
      expect(await told('echo "[$a]"')).toMatchObject(fresh)
    })

    test.skipIf(isSlow)('keeps the jobs of earlier calls at a timeout, and what they start', async () => {
      await open()
      const job = 'while :; do sleep 0.05; date +%N > beat; done'
      await told(`sh -c 'trap "" INT; ${job}' & b=$!`)
      expect(await told('trap "" INT; sleep 60', timeout)).toMatchObject(timedOut)
      expect(
        await told('kill -0 $b; echo "[$a]"; rm -f beat; until [ -e beat ]; do sleep 0.01; done'),
      ).toMatchObject(kept)
    })

    test('is killed with all that is in it by a reset, and when the server stops', async () => {
      await open()
      for (const end of [() => post(sandbox, '/reset', { slot_id: 'slot_0' }), () => sandbox.stop()]) {
        const marker = `marker-${crypto.randomUUID()}`
        await told(`export M=${marker}; sleep 60 & (sleep 60 &)`)
        expect(await eventually(() => processesWith(marker).length >= 2)).toBe(true)
        await end()
        expect(await areGone(marker)).toBe(true)
      }
    })

    test('is killed with its running command when the server stops', async () => {
      await open()
      const marker = `marker-${crypto.randomUUID()}`
      const running = told(`export M=${marker}; echo out; sleep 60`)
      expect(await eventually(() => processesWith(marker).length > 0)).toBe(true)
      await sandbox.stop()
      expect(await areGone(marker)).toBe(true)
      expect(await running).toMatchObject({
        output: 'out',
        error: 'Command was killed: the server stops',
        lost: true,
      })
    })
  })
}

function renamed({ state_lost, shell_restarted, ...metadata }: Record<string, unknown>) {
  return {
    ...metadata,
    ...(state_lost === undefined ? {} : { lost: state_lost }),
    ...(shell_restarted === undefined ? {} : { restarted: shell_restarted }),
  }
}

describe('a long-lived shell', () => {
  const workspaces: string[] = []
  const shells: StatefulShell[] = []
  const stop = new AbortController().signal
  const open = () => {
    const workspace = mkdtempSync(join(tmpdir(), 'stateful-'))
    const shell = new StatefulShell({ kind: 'none', run: 'x' }, { workspace, owner: null })
    workspaces.push(workspace)
    shells.push(shell)
    const run = (command: string, cancel?: AbortSignal) =>
      shell.run({ command, timeoutMs: 20_000, network: false }, { stop, cancel })
    return { workspace, run }
  }
  afterEach(async () => {
    await Promise.all(shells.splice(0).map((shell) => shell.end()))
    for (const workspace of workspaces.splice(0)) rmSync(workspace, { recursive: true })
  })

  test('is kept by a call that is cancelled, as at its timeout', async () => {
    const { workspace, run } = open()
    const cancel = new AbortController()
    const running = run('a=1; echo out; : > started; sleep 60; echo after', cancel.signal)
    expect(await eventually(() => existsSync(join(workspace, 'started')))).toBe(true)
    cancel.abort()
    const end = { kind: 'cancelled' }
    expect(await running).toMatchObject({ end, isLost: false, stdout: { head: 'out\n' } })
    expect(await run('echo $a')).toMatchObject({ isRestarted: false, stdout: { head: '1\n' } })
  })

  test('that dies before it takes a command is replaced by one that takes it', async () => {
    const { run } = open()
    const { stdout } = await run('echo $$')
    process.kill(Number(stdout.head), 'SIGKILL')
    const end = { kind: 'exited', exitCode: 0 }
    expect(await run('echo once')).toMatchObject({ end, isRestarted: true, stdout: { head: 'once\n' } })
  })
})

test.skipIf(!hasBubblewrap)('a sandbox that cannot be set up is told as such', async () => {
  const sandbox = await openSandbox({ slots: 1 })
  const slots = await sandbox.handler(new Request('http://127.0.0.1/slots'))
  const [, workspace = ''] = /"workspace_dir":"([^"]+)"/.exec(await slots.text()) ?? []
  rmSync(workspace, { recursive: true })
  const { success, error, metadata } = await execute(sandbox, 'bash_stateful', { command: 'echo never' })
  expect(success).toBe(false)
  expect(error).toMatch(/^Sandbox failed to start: bwrap: Can't find source path/)
  expect(Object.keys(metadata)).not.toContain('state_lost')
})

test.skipIf(!hasBubblewrap)(
  'many calls side by side, with timeouts, exits and kills, are not mixed up',
  async () => {
    const sandbox = await openSandbox({ slots: 4 })
    const marker = `marker-${crypto.randomUUID()}`
    const { faults } = await runStatefulCalls(sandbox, { slots: 4, calls: 80, seed: 5, marker })
    expect(faults).toEqual([])
    await sandbox.stop()
    expect(processesWith(marker)).toEqual([])
  },
)
