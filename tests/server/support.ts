/** What the tests of the server share. */
import { afterEach } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import * as v from 'valibot'
import type { SandboxOptions } from '../../src/server/options.ts'
import { createSandbox, type Sandbox } from '../../src/server/sandbox.ts'

/** Tests that need a sandbox skip where there is no bubblewrap. */
export const hasBubblewrap = Bun.which('bwrap') !== null

/** Answers a function that opens sandboxes; they are stopped after each test of the file that called this. */
export function useSandboxes(): (options?: SandboxOptions) => Promise<Sandbox> {
  const opened: Sandbox[] = []
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((sandbox) => sandbox.stop()))
  })
  return async (options = {}) => {
    const sandbox = await createSandbox({ slots: 2, ...options })
    opened.push(sandbox)
    return sandbox
  }
}

export const baseUrl = 'http://127.0.0.1'

export function post(sandbox: Sandbox, path: string, body: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  return sandbox.handler(new Request(baseUrl + path, { method: 'POST', headers, body: JSON.stringify(body) }))
}

const answer = v.object({
  success: v.boolean(),
  output: v.string(),
  error: v.string(),
  execution_id: v.nullable(v.string()),
  metadata: v.record(v.string(), v.unknown()),
})

export async function execute(sandbox: Sandbox, tool: string, args: unknown, more: object = {}) {
  const response = await post(sandbox, '/execute', {
    slot_id: 'slot_0',
    tool,
    args,
    execution_id: 'x',
    timeout: 20,
    ...more,
  })
  return v.parse(answer, await response.json())
}

export function bash(sandbox: Sandbox, command: string, more: object = {}) {
  return execute(sandbox, 'bash', { command }, more)
}

export async function slotWorkspace(sandbox: Sandbox, index = 0): Promise<string> {
  const response = await sandbox.handler(new Request(`${baseUrl}/slots`))
  const slots = v.parse(
    v.object({ slots: v.array(v.object({ workspace_dir: v.string() })) }),
    await response.json(),
  )
  return slots.slots[index]?.workspace_dir ?? ''
}

/** Living processes whose arguments or environment contain `marker`. */
export function processesWith(marker: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid) || pid === String(process.pid)) return false
    try {
      const seen =
        readFileSync(`/proc/${pid}/cmdline`, 'latin1') + readFileSync(`/proc/${pid}/environ`, 'latin1')
      return seen.includes(marker)
    } catch {
      return false
    }
  })
}

/** Living processes that see the directory at /workspace. */
export function insideOf(workspace: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      // Told is its path on its own file system.
      const [, path] = / (\S+) \/workspace /.exec(readFileSync(`/proc/${pid}/mountinfo`, 'latin1')) ?? []
      return path !== undefined && workspace.endsWith(path)
    } catch {
      return false
    }
  })
}

/** Polls; false when it has not come true in five seconds. */
export async function eventually(condition: () => boolean): Promise<boolean> {
  for (let tries = 0; tries < 500; tries++) {
    // Asked once a time: what is true may be hidden in the next moment, as the environment of a process that becomes another.
    if (condition()) return true
    await Bun.sleep(10)
  }
  return false
}

/** One process, or a group. */
export function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It had gone.
  }
}
